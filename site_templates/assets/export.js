// What an experiment's table shows (filter, order, columns) as CSV, JSON or Markdown.
"use strict";
gitml.export = menu => gitml.experiment.then(({table, view, attribute, brief, label}) => {
  const {el, button} = gitml, box = menu.querySelector(".sheet"), said = el("p", {class: "quiet small", role: "status"}), run = attribute("run_name"), MARKDOWN_ROWS = 1000;
  const rows = [...view.order.length ? table.order(view.rows, view.order) : view.rows], columns = [...new Set([attribute("run_id"), ...view.columns])];
  const head = columns.map(c => (c.kind === "attributes" ? "" : `${c.kind}.`) + c.name + (c.aspect ? `:${c.aspect}` : ""));
  const plain = (c, row) => {
    const v = c.values[row];
    if (typeof v !== "number") return v;
    return c.name === "start_time" && c.kind === "attributes" && Math.abs(v) < 8e15 ? new Date(v).toISOString() : Number.isFinite(v) ? v : String(v);
  };
  const values = rows.map(row => columns.map(c => plain(c, row)));

  // A spreadsheet takes a text that begins like a formula for one: an apostrophe keeps it a text.
  const csv = v => {
    const text = String(v ?? ""), safe = isNaN(text) && /^([=+@\t\r]|-(?!Infinity$))/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const line = cells => `| ${cells.map(text => text.replace(/[\\|<>&`*_[\]]/g, "\\$&").replace(/\s+/g, " ")).join(" | ")} |\n`;

  const save = (kind, text) => {
    const href = URL.createObjectURL(new Blob([text])), download = `${document.body.dataset.key}.${kind}`;
    el("a", {href, download}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
    said.textContent = `Saved as ${download}.`;
  };
  const copy = async text => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied.";
    } catch {
      const area = el("textarea", {"aria-label": "Markdown"}, text);
      said.replaceChildren("Press Ctrl-C to copy. ", area);
      area.select();
    }
  };
  box.replaceChildren(
    button("Save as CSV", () => save("csv", [head, ...values].map(cells => `${cells.map(csv).join(",")}\r\n`).join(""))),
    button("Save as JSON", () => save("json", `${JSON.stringify(values.map(cells => Object.fromEntries(cells.map((v, n) => [head[n], v]))), null, 1)}\n`)),
    button("Copy as Markdown", () => copy(line(view.columns.map(c => c.label)) + line(view.columns.map(() => "---"))
      + rows.slice(0, MARKDOWN_ROWS).map(row => line(view.columns.map(c => c === run ? label(row) : brief(c, row)))).join(""))), said);
});
