// An experiment's page. The address holds the state; everything shown follows from it and the data.
"use strict";
// The page without its charts, once there are rows: what scripts loaded later build on. Never, where the page has no runs.
gitml.experiment = (async () => {
  const {el, at, address, load, bdi, on} = gitml, {key, head} = document.body.dataset, table = new gitml.Columns();
  const trouble = at("trouble"), filter = at("filter");
  if (!filter) return new Promise(() => {});
  const start = await gitml.get(key, head).catch(error => { at("tools").hidden = false; at("tools").replaceChildren(error.message); });
  if (!start) return new Promise(() => {});
  let rest = "loading";

  // ---- names of columns in the address: params.depth, metrics.rmse, metrics.rmse:best
  const name = column => `${column.kind}.${encodeURIComponent(column.name)}${column.aspect ? `:${column.aspect}` : ""}`;
  const column = text => {
    const [, kind, word, aspect] = /^(attributes|metrics|params|tags)\.([^:]*)(?::(min|max|best))?$/.exec(text) || [];
    try { return table.find(kind, decodeURIComponent(word), aspect); } catch { return undefined; }
  };
  const list = (state, word, preset) => state.has(word) ? [...new Set(state.get(word).split(",").map(column).filter(Boolean))] : preset();

  // ---- what is shown when the address does not say
  const kind = word => table.all.filter(c => c.kind === word);
  const attribute = word => table.find("attributes", word);
  const telling = () => kind("params").filter(c => c.distinct > 1);
  const metrics = () => kind("metrics").filter(c => !c.name.startsWith("system/"));
  const tags = () => kind("tags").filter(c => !/^(mlflow|gitml)\./.test(c.name));
  const preset = () => [...["run_name", "status", "start_time", "duration"].map(attribute), ...metrics().slice(0, 5), ...telling().slice(0, 6), ...tags().slice(0, 2), attribute("commit")];

  const id = row => attribute("run_id").values[row], label = row => (attribute("run_name").values[row] || "").trim() || id(row).slice(0, 8);
  const home = row => gitml.root + (row < start.paged ? `runs/${id(row)}.html` : `run.html#${id(row)}`);
  const brief = (col, row) => {
    const text = gitml.text(col, col.values[row]);
    return col.kind !== "attributes" ? text : col.name === "commit" ? text.slice(0, 8) : col.name === "status" ? text.toLowerCase() : text;
  };
  const sparkling = new Set(start.trends?.[2]);
  const cell = (row, col) => {
    const text = brief(col, row), word = () => bdi(text);
    if (page.view.trends && col.kind === "metrics" && !col.aspect && sparkling.has(col.name))
      return el("span", "trend", el("i", {}, gitml.trend?.(table.trends.get(col.name)?.[row]) || ""), word());
    if (col.kind !== "attributes") return word();
    if (col.name === "run_name") return el("a", {href: home(row)}, bdi(label(row)));
    if (col.name === "status") return el("span", `status ${{finished: "good", failed: "bad", killed: "bad"}[text] || "busy"}`, text);
    return col.name === "commit" ? el("code", {}, text) : word();
  };

  // ---- sorting: a plain press sorts by one column, one with Shift changes its place among the keys
  const sorting = () => (address.read().get("sort") || "").split(",").map(text => ({column: column(text.replace(/^-/, "")), down: text[0] === "-"})).filter(by => by.column);
  const sort = (col, more) => {
    const keys = sorting(), k = keys.findIndex(by => by.column === col);
    let next = k < 0 ? [{column: col}] : keys[k].down ? [] : [{column: col, down: true}];
    if (!more && !next.length && keys.length > 1) next = [{column: col}];
    if (more) keys.splice(k < 0 ? keys.length : k, 1, ...next);
    write({sort: (more ? keys : next).map(by => (by.down ? "-" : "") + name(by.column)).join(",")});
  };

  // ---- runs chosen to be compared; they stay chosen whatever the filter says
  let picked = new Set();
  const chosen = item => (item.rows || [item]).every(row => picked.has(id(row)));
  const pick = (...what) => load("table", "chosen").then(() => gitml.chosen.pick(page, ...what));

  const grid = gitml.table(at("grid"), {cell, sort, pick, group: (item, col, k) => gitml.groups.cell(page, item, col, k)});
  const followers = [];

  // ---- what most views do not need is asked for when it is first shown
  const asked = new Set();
  const ask = (word, then) => {
    if (asked.has(word)) return;
    asked.add(word);
    then().then(() => apply(), error => { trouble.hidden = false; trouble.textContent = error.message; asked.delete(word); });
  };
  const fill = (word, take) => () => Promise.all(start[word].map(async ([part, place, from]) => table[take](await gitml.get(part, place), from)));
  const extremes = fill("ends", "extremes"), inputs = fill("inputs", "inputs");
  const trends = async () => {
    const [part, place] = start.trends;
    table.sparkle((await Promise.all([gitml.get(part, place), load("table", "trends")]))[0]);
  };

  // ---- from the address to everything shown
  const apply = how => {
    const state = address.read(), text = state.get("q") || "";
    if (filter.value !== text) filter.value = text;
    const parsed = gitml.filter.parse(text, table), rows = [];
    const waiting = [...parsed.unknown].some(word => word.startsWith("datasets.")) && start.inputs.length && !table.find("datasets", "name");
    const missing = waiting ? [] : [...parsed.unknown], noted = missing.includes("tags.mlflow.note.content");
    if (waiting) ask("inputs", inputs);
    trouble.textContent = parsed.error || (noted ? trouble.dataset.notes
      : missing.length ? `No run here has ${missing.join(", ")}.` : "");
    trouble.hidden = !trouble.textContent;
    filter.ariaInvalid = !!parsed.error;
    for (let row = 0; row < table.rows; row++) if (parsed.test(row)) rows.push(row);
    table.prefer(list(state, "better", () => []));
    const order = sorting(), run = attribute("run_name"), cols = list(state, "cols", preset), group = list(state, "group", () => []);
    const pins = new Set([run, ...list(state, "pin", () => [])]), sorted = order.length ? table.order(rows, order) : rows;
    const widths = new Map((state.get("width") || "").split(",").map(item => item.split("*")).map(([word, width]) => [column(word)?.id, Math.min(Math.max(+width || 48, 48), 900)]));
    picked = new Set((state.get("runs") || "").split(",").filter(v => /^[0-9a-f]{32}$/.test(v)));
    page.view = {parsed, chosen: picked, rows, lines: sorted, cols, order, group, pins, widths, trends: !!start.trends && state.get("trends") !== "off"};
    const shown = [...pins, ...cols.filter(c => !pins.has(c))], known = `${rows.length} of ${start.rows} runs`;
    if ([...shown, ...order.map(by => by.column)].some(c => c.aspect)) ask("ends", extremes);
    if (page.view.trends) ask("trends", trends);
    if (group.length && !gitml.groups) ask("groups", () => load("table", "groups"));
    else if (group.length) page.view.lines = gitml.groups.lines(page, sorted);
    Object.assign(page.view, {columns: shown, pinned: pins.size, total: group.length ? page.view.lines.length : table.rows, picked: chosen});
    grid.show(page.view);
    at("count").textContent = known + (group.length && page.view.groups ? ` in ${page.view.groups} group${page.view.groups === 1 ? "" : "s"}` : "") + (table.rows < start.rows ? `, ${rest}` : waiting ? ", loading" : "");
    if (gitml.chosen) gitml.chosen.show(page);
    else if (picked.size) ask("chosen", () => load("table", "chosen"));
    for (const then of followers) then(how);
  };
  const write = changes => { address.write(changes, true); apply(); };

  // view: what is shown now; follow(then): then({light, dragging}) after each change of it
  const page = {table, grid, start, view: {}, name, column, list, telling, metrics, attribute, label, home, id, brief, sort, write, apply, inputs, follow: then => followers.push(then)};

  on(filter, "focus", () => load("table", "filter-edit", "complete").then(() => gitml.complete(page), () => {}), {once: true});  // it works without, too
  let typing = false;
  on(filter, "input", () => { address.write({q: filter.value}, !typing); typing = true; apply({light: true}); });
  on(filter, "change", () => { typing = false; });
  on(at("tools"), "submit", e => e.preventDefault());
  address.watch(() => apply());

  table.experiment = start.experiment;
  table.declared = new Map(start.better);
  table.add(start);
  table.settle();
  at("tools").hidden = at("charts").hidden = false;
  apply();
  gitml.later(trouble, ["table", "headings", "chosen"], () => gitml.headings(page));
  const charts = () => gitml.later(at("charts"), ["sheet", "charts", "parallel", "plots", "filter-edit", "experiment-charts"]);
  (async () => {
    if (!start.more.length) { charts(); return; }
    try { for (const [part, place] of start.more) table.add(await gitml.get(part, place)); }
    catch (error) { rest = `${error.message}, so the others are not shown`; }
    table.settle();
    apply();
    charts();  // after the data, which they would only hold up
  })();
  return page;
})();
