// An experiment's page. The address holds the state; everything shown follows from it and the data.
"use strict";
// The page without its charts, once there are rows: what scripts loaded later build on. Never, where the page has no runs.
gitml.experiment = (async () => {
  const {el, address} = gitml, {key, head} = document.body.dataset, table = new gitml.Columns();
  const at = id => document.getElementById(id), trouble = at("trouble"), filter = at("filter");
  if (!filter) return new Promise(() => {});
  const start = await gitml.get(key, head).catch(error => { at("tools").hidden = false; at("tools").replaceChildren(error.message); });
  if (!start) return new Promise(() => {});
  let rest = "loading";

  // ---- names of columns in the address
  const name = column => `${column.kind}.${encodeURIComponent(column.name)}`;
  const column = text => {
    const dot = text.indexOf(".");
    try { return table.find(text.slice(0, dot), decodeURIComponent(text.slice(dot + 1))); } catch { return undefined; }
  };
  const list = (state, word, preset) => state.has(word) ? state.get(word).split(",").map(column).filter(Boolean) : preset();

  // ---- what is shown when the address does not say
  const kind = word => table.all.filter(c => c.kind === word);
  const attribute = word => table.find("attributes", word);
  const telling = () => kind("params").filter(c => c.distinct > 1);
  const metrics = () => kind("metrics").filter(c => !c.name.startsWith("system/"));
  const tags = () => kind("tags").filter(c => !/^(mlflow|gitml)\./.test(c.name));
  const preset = () => [...["run_name", "status", "start_time", "duration"].map(attribute), ...metrics().slice(0, 5), ...telling().slice(0, 6), ...tags().slice(0, 2), attribute("commit")];

  const id = row => attribute("run_id").values[row], label = row => (attribute("run_name").values[row] || "").trim() || id(row).slice(0, 8);
  const home = row => gitml.root + (row < start.paged ? `runs/${id(row)}.html` : `run.html#${id(row)}`);
  const cell = (row, col) => {
    const text = table.text(col, row), bdi = () => el("bdi", {}, text);
    if (col.kind !== "attributes") return bdi();
    if (col.name === "run_name") return el("a", {href: home(row)}, el("bdi", {}, label(row)));
    if (col.name === "status") return el("span", {class: `status ${{FINISHED: "good", FAILED: "bad", KILLED: "bad"}[text] || "busy"}`}, text.toLowerCase());
    return col.name === "commit" ? el("code", {}, text.slice(0, 8)) : bdi();
  };

  const grid = gitml.table(at("grid"), {
    cell,
    sort: col => {
      const now = sorting();
      write({sort: now.column !== col ? name(col) : now.down ? "" : `-${name(col)}`});
    },
    pick: (row, on) => {
      on ? picked.add(id(row)) : picked.delete(id(row));
      address.write({runs: [...picked].join(",")});
      link();
    },
  });
  const sorting = () => {
    const text = address.read().get("sort") || "", down = text[0] === "-";
    return {column: column(down ? text.slice(1) : text), down};
  };

  let picked = new Set();
  const followers = [];
  const link = () => {
    const button = at("compare"), ids = [...picked];
    button.textContent = `Compare ${ids.length || ""}`;
    button.setAttribute("aria-disabled", String(ids.length < 2));
    button.setAttribute("href", `${gitml.root}compare.html#${ids}`);
    if (ids.length < 2) button.removeAttribute("href");
  };

  // ---- from the address to everything shown
  const apply = how => {
    const state = address.read(), text = state.get("q") || "";
    if (filter.value !== text) filter.value = text;
    const parsed = gitml.filter.parse(text, table), missing = [...parsed.unknown], shown = [];
    trouble.textContent = parsed.error || (missing.length ? `No run here has ${missing.join(", ")}.` : "");
    trouble.hidden = !trouble.textContent;
    filter.setAttribute("aria-invalid", String(Boolean(parsed.error)));
    for (let row = 0; row < table.rows; row++) if (parsed.test(row)) shown.push(row);
    const order = sorting();
    if (order.column) table.order(shown, order.column, order.down);
    picked = new Set((state.get("runs") || "").split(",").filter(v => /^[0-9a-f]{32}$/.test(v)));
    page.view = {parsed, cols: list(state, "cols", preset), rows: shown};
    if (!page.view.cols.includes(attribute("run_name"))) page.view.cols.unshift(attribute("run_name"));
    grid.show({rows: shown, columns: page.view.cols, order, picked: {has: row => picked.has(id(row))}, total: table.rows});
    at("count").textContent = `${shown.length} of ${start.rows} runs${table.rows < start.rows ? `, ${rest}` : ""}`;
    link();
    for (const then of followers) then(how);
  };
  const write = changes => { address.write(changes, true); apply(); };

  // view: what is shown now; follow(then): then({light, dragging}) after each change of it
  const page = {table, view: {}, name, column, list, telling, metrics, attribute, label, home, write, apply, follow: then => followers.push(then)};

  const columns = at("columns");
  columns.addEventListener("toggle", () => gitml.load("sheet").then(() =>
    gitml.sheet(columns, {columns: () => table.all, chosen: () => page.view.cols, change: next => write({cols: next.map(name).join(",")})}),
    error => gitml.failed(columns.querySelector(".sheet"), error)), {once: true});
  let typing = false;
  filter.addEventListener("input", () => { address.write({q: filter.value}, !typing); typing = true; apply({light: true}); });
  filter.addEventListener("change", () => { typing = false; });
  at("tools").addEventListener("submit", e => e.preventDefault());
  address.watch(() => apply());

  table.add(start);
  table.settle();
  at("tools").hidden = at("charts").hidden = false;
  apply();
  gitml.later(at("charts"), ["sheet", "charts", "parallel", "plots", "experiment-charts"]);
  (async () => {
    if (!start.more.length) return;
    try { for (const [part, place] of start.more) table.add(await gitml.get(part, place)); }
    catch (error) { rest = `${error.message}, so the others are not shown`; }
    table.settle();
    apply();
  })();
  return page;
})();
