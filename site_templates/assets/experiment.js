// An experiment's page. The address holds the state; everything shown follows from it and the data.
"use strict";
(async () => {
  const {el, address, choices, charts: vega} = gitml, {key, head} = document.body.dataset, table = new gitml.Columns();
  const at = id => document.getElementById(id), trouble = at("trouble"), filter = at("filter");
  if (!filter) return;
  const start = await gitml.get(key, head).catch(error => { at("tools").hidden = false; at("tools").replaceChildren(error.message); });
  if (!start) return;

  // ---- names of columns in the address
  const name = column => `${column.kind}.${encodeURIComponent(column.name)}`;
  const column = text => {
    const dot = text.indexOf(".");
    try { return table.find(text.slice(0, dot), decodeURIComponent(text.slice(dot + 1))); } catch { return undefined; }
  };
  const list = (state, word, preset) => state.has(word) ? state.get(word).split(",").map(column).filter(Boolean) : preset();

  // ---- what is shown when the address does not say
  const kind = word => table.all.filter(c => c.kind === word);
  const drawable = c => c.numbers || c.distinct <= 40;
  const attribute = word => table.find("attributes", word);
  const telling = () => kind("params").filter(c => c.distinct > 1);
  const metrics = () => kind("metrics").filter(c => !c.name.startsWith("system/"));
  const tags = () => kind("tags").filter(c => !/^(mlflow|gitml)\./.test(c.name));
  const presets = {
    cols: () => [...["run_name", "status", "start_time", "duration"].map(attribute), ...metrics().slice(0, 5), ...telling().slice(0, 6), ...tags().slice(0, 2), attribute("commit")],
    axes: () => [...telling().filter(drawable).slice(0, 5), ...metrics().slice(0, 3)],
    colour: () => metrics()[0] || attribute("start_time"),
    x: () => telling().find(c => c.numbers) || attribute("start_time"),
    y: () => metrics()[0] || attribute("duration"),
  };

  const id = row => attribute("run_id").values[row], label = row => (attribute("run_name").values[row] || "").trim() || id(row).slice(0, 8);
  const page = row => gitml.root + (row < start.paged ? `runs/${id(row)}.html` : `run.html#${id(row)}`);
  const cell = (row, col) => {
    const text = table.text(col, row), bdi = () => el("bdi", {}, text);
    if (col.kind !== "attributes") return bdi();
    if (col.name === "run_name") return el("a", {href: page(row)}, el("bdi", {}, label(row)));
    if (col.name === "status") return el("span", {class: `status ${{FINISHED: "good", FAILED: "bad", KILLED: "bad"}[text] || "busy"}`}, text.toLowerCase());
    return col.name === "commit" ? el("code", {}, text.slice(0, 8)) : bdi();
  };

  const grid = gitml.table(at("grid"), {
    cell,
    sort: col => {
      const now = sorting();
      address.write({sort: now.column !== col ? name(col) : now.down ? "" : `-${name(col)}`}, true);
      apply();
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

  let picked = new Set(), view = {}, charts = {};
  const link = () => {
    const button = at("compare"), ids = [...picked];
    button.textContent = `Compare ${ids.length || ""}`;
    button.setAttribute("aria-disabled", String(ids.length < 2));
    button.setAttribute("href", `${gitml.root}compare.html#${ids}`);
    if (ids.length < 2) button.removeAttribute("href");
  };

  const brushes = axes => {
    const found = [];
    axes.forEach((axis, k) => {
      const mine = view.parsed.clauses.filter(c => c.key && c.key.kind === axis.column.kind && c.key.name === axis.column.name);
      const low = mine.find(c => c.low !== undefined), high = mine.find(c => c.high !== undefined), among = mine.find(c => c.among);
      if (axis.column.numbers && (low || high)) found.push([k, low ? axis.at(low.low) : 0, high ? axis.at(high.high) : 1]);
      else if (!axis.column.numbers && among) {
        const half = .5 / axis.names.length;
        for (const v of among.among) if (axis.spot.has(v)) found.push([k, axis.spot.get(v) - half, axis.spot.get(v) + half]);
      }
    });
    return found;
  };

  // ---- a brush only rewrites the filter; the table, the lines and the brush itself follow the filter
  const brushed = (axis, range, done) => {
    const key = axis.column, word = gitml.filter.name(key);
    let clause = "";
    if (!word) return;
    if (range && key.numbers) {
      const round = t => { const v = axis.value(t), span = axis.high - axis.low; return axis.log ? +v.toPrecision(4) : +v.toFixed(Math.max(0, Math.min(12, 3 - Math.floor(Math.log10(span))))); };
      clause = `${word} >= ${round(range[0])} AND ${word} <= ${round(range[1])}`;
    } else if (range) {
      const half = .5 / axis.names.length, inside = axis.names.filter(v => axis.spot.get(v) + half > range[0] && axis.spot.get(v) - half < range[1]);
      const words = inside.map(gitml.filter.quote).filter(Boolean);
      if (words.length && inside.length < axis.names.length) clause = `${word} IN (${words.join(", ")})`;
    }
    address.write({q: gitml.filter.replace(address.read().get("q") || "", key, clause)}, !brushed.open);
    brushed.open = !done;
    cancelAnimationFrame(brushed.frame);
    brushed.frame = requestAnimationFrame(() => { apply(true, !done); if (done && charts.cut) draw.parallel(); });
  };

  const rows = () => Array.from({length: table.rows}, (_, row) => row);
  const tint = () => {
    const place = vega.axis(view.colour).place;
    return row => vega.viridis(place(row));
  };
  const draw = {
    async parallel() {
      const found = await vega.parallel(at("parallel"), {columns: view.axes, rows: rows(), lit: view.parsed.test, tint: tint(), label, brushed});
      if (!found) return;
      charts.parallel = found;
      charts.cut = found.cut;
      found.update(view.parsed.test, brushes(found.axes));
      at("parallel-help").firstChild.data = found.cut ? `${table.rows - found.cut} of ${table.rows} runs are drawn. ${help}` : help;
    },
    async scatter() {
      charts.scatter = await vega.scatter(at("scatter"), {x: view.x, y: view.y, rows: rows(), lit: view.parsed.test, tint: tint(), label,
        open: row => { location.href = page(row); }});
    },
  };
  const help = at("parallel-help").textContent;

  // ---- from the address to everything shown
  const apply = (light, dragging) => {
    const state = address.read(), text = state.get("q") || "", before = view;
    if (filter.value !== text) filter.value = text;
    const parsed = gitml.filter.parse(text, table), all = rows();
    const missing = [...parsed.unknown];
    trouble.textContent = parsed.error || (missing.length ? `No run here has ${missing.join(", ")}.` : "");
    trouble.hidden = !trouble.textContent;
    filter.setAttribute("aria-invalid", String(Boolean(parsed.error)));
    const shown = all.filter(parsed.test), order = sorting();
    if (order.column) table.order(shown, order.column, order.down);
    picked = new Set((state.get("runs") || "").split(",").filter(v => /^[0-9a-f]{32}$/.test(v)));
    const one = (word) => (state.has(word) && column(state.get(word))) || presets[word]();
    view = {parsed, cols: list(state, "cols", presets.cols), axes: list(state, "axes", presets.axes), colour: one("colour"), x: one("x"), y: one("y"), rows: table.rows};
    if (!view.cols.includes(attribute("run_name"))) view.cols.unshift(attribute("run_name"));
    grid.show({rows: shown, columns: view.cols, order, picked: {has: row => picked.has(id(row))}, total: table.rows});
    at("count").textContent = `${shown.length} of ${start.rows} runs${table.rows < start.rows ? ", loading" : ""}`;
    link();
    if (light) { charts.parallel?.update(parsed.test, brushes(charts.parallel.axes)); if (!dragging) charts.scatter?.update(parsed.test); return; }
    for (const word of ["colour", "x", "y"]) choices(at(word), table.all.filter(drawable).map(c => [name(c), c.kind === "attributes" ? c.label : `${c.kind}.${c.name}`]), name(view[word]));
    const same = (...words) => ["rows", "colour", ...words].every(word => String(before[word]) === String(view[word]));
    if (charts.parallel) same("axes") ? charts.parallel.update(parsed.test, brushes(charts.parallel.axes)) : draw.parallel();
    if (charts.scatter) same("x", "y") ? charts.scatter.update(parsed.test) : draw.scatter();
  };

  // ---- a sheet of ticks for the columns of the table or the axes
  const sheet = (menu, word) => menu.addEventListener("toggle", () => {
    if (!menu.open) return;
    const box = menu.querySelector(".sheet"), find = el("input", {type: "search", "aria-label": "Find a column", placeholder: "find"}), ticks = el("div");
    const fill = () => {
      const fit = table.all.filter(c => c.label.toLowerCase().includes(find.value.toLowerCase()) && (word === "cols" || drawable(c)));
      ticks.replaceChildren(...["attributes", "metrics", "params", "tags"].flatMap(group => {
        const mine = fit.filter(c => c.kind === group).slice(0, 100);
        return mine.length ? [el("fieldset", {}, el("legend", {}, group), ...mine.map(c => {
          const tick = el("input", {type: "checkbox", checked: view[word].includes(c)});
          tick.addEventListener("change", () => {
            const next = tick.checked ? [...view[word], c] : view[word].filter(other => other !== c);
            address.write({[word]: next.map(name).join(",")}, true);
            apply();
          });
          return el("label", {}, tick, el("bdi", {}, c.label));
        }))] : [];
      }));
    };
    find.addEventListener("input", fill);
    box.replaceChildren(find, ticks);
    fill();
  });
  sheet(at("columns"), "cols");
  sheet(at("axes"), "axes");

  for (const word of ["colour", "x", "y"]) at(word).addEventListener("change", e => { address.write({[word]: e.target.value}, true); apply(); });
  let typing = false;
  filter.addEventListener("input", () => { address.write({q: filter.value}, !typing); typing = true; apply(true); });
  filter.addEventListener("change", () => { typing = false; if (charts.cut) draw.parallel(); });
  at("tools").addEventListener("submit", e => e.preventDefault());
  address.watch(() => apply());

  table.add(start);
  table.settle();
  at("tools").hidden = at("charts").hidden = false;
  apply();
  vega.seen(at("parallel"), draw.parallel);
  vega.seen(at("scatter"), draw.scatter);
  for (const [part, place] of start.more) table.add(await gitml.get(part, place));
  if (!start.more.length) return;
  table.settle();
  apply();
})();
