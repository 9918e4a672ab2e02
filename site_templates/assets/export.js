// What an experiment's table shows (filter, order, columns) as CSV, JSON or Markdown, and as a frame for other pages.
"use strict";
gitml.export = menu => gitml.experiment.then(page => {
  const {el} = gitml, box = menu.querySelector(".sheet"), said = el("p", {class: "quiet small", role: "status"}), MARKDOWN_ROWS = 1000;
  const word = c => c.kind === "attributes" ? c.name : `${c.kind}.${c.name}`;
  const columns = () => {
    const id = page.attribute("run_id");
    return [id, ...page.view.cols.filter(c => c !== id)];
  };
  const plain = (c, row) => {
    const v = c.values[row];
    if (v === null) return null;
    if (c.kind === "attributes" && c.name === "start_time" && !isNaN(new Date(v))) return new Date(v).toISOString();
    return typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
  };

  // A spreadsheet takes a text that begins like a formula for one: an apostrophe keeps it a text.
  const csvCell = v => {
    let text = v === null ? "" : String(v);
    if (typeof v === "string" && /^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text)) && !/^-?Infinity$/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = () => {
    const cols = columns();
    return [cols.map(c => csvCell(word(c))), ...page.view.rows.map(row => cols.map(c => csvCell(plain(c, row))))].map(line => `${line.join(",")}\r\n`).join("");
  };
  const json = () => {
    const cols = columns();
    return `${JSON.stringify(page.view.rows.map(row => Object.fromEntries(cols.map(c => [word(c), plain(c, row)]))), null, 1)}\n`;
  };
  const markdown = () => {
    const cell = text => text.replace(/[\\|<>&`*_[\]]/g, "\\$&").replace(/\s+/g, " ").trim(), cols = page.view.cols, line = cells => `| ${cells.join(" | ")} |\n`;
    const value = (row, c) => c === page.attribute("run_name") ? page.label(row) : page.table.text(c, row);
    return line(cols.map(c => cell(c.label))) + line(cols.map(() => "---"))
      + page.view.rows.slice(0, MARKDOWN_ROWS).map(row => line(cols.map(c => cell(value(row, c))))).join("");
  };
  const frame = () => {
    const link = new URL(location.href);
    link.search = "?bare=1";
    return `<iframe src="${link.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}" width="100%" height="600" title="Runs"></iframe>\n`;
  };

  const save = (kind, type, text) => {
    const url = URL.createObjectURL(new Blob([text], {type})), name = `${document.body.dataset.key}.${kind}`;
    el("a", {href: url, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    said.textContent = `Saved as ${name}.`;
  };
  const copy = async text => {
    try { await navigator.clipboard.writeText(text); }
    catch {
      const area = el("textarea", {"aria-label": "Text to copy"}, text);
      box.append(area);
      area.select();
      const done = document.execCommand("copy");
      if (!done) { said.textContent = "Press Ctrl-C to copy."; return; }
      area.remove();
    }
    said.textContent = "Copied.";
  };
  const button = (label, act) => {
    const node = el("button", {type: "button"}, label);
    node.addEventListener("click", act);
    return node;
  };
  box.replaceChildren(el("p", {class: "small"}, "The runs and columns that are shown:"),
    button("Save as CSV", () => save("csv", "text/csv", csv())), button("Save as JSON", () => save("json", "application/json", json())),
    button("Copy as Markdown", () => copy(markdown())), button("Copy a frame for another page", () => copy(frame())), said);
});
