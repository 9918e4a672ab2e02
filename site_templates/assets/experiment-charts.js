// The charts of an experiment's page: they draw the view of the table and rewrite the filter.
"use strict";
gitml.experiment.then(page => {
  const {address, choices, charts: vega} = gitml, {table, name, column, list, label} = page, at = id => document.getElementById(id);
  const drawable = c => c.numbers || c.distinct <= 40;
  const presets = {
    axes: () => [...page.telling().filter(drawable).slice(0, 5), ...page.metrics().slice(0, 3)],
    colour: () => page.metrics()[0] || page.attribute("start_time"),
    x: () => page.telling().find(c => c.numbers) || page.attribute("start_time"),
    y: () => page.metrics()[0] || page.attribute("duration"),
  };
  const help = at("parallel-help").textContent, charts = {};
  let view = {}, test = () => true;

  const brushes = axes => {
    const found = [];
    axes.forEach((axis, k) => {
      const mine = page.view.parsed.clauses.filter(c => c.key && c.key.kind === axis.column.kind && c.key.name === axis.column.name);
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
    brushed.frame = requestAnimationFrame(() => { page.apply({light: true, dragging: !done}); if (done && charts.cut) draw.parallel(); });
  };

  const rows = () => Array.from({length: table.rows}, (_, row) => row);
  const tint = () => {
    const place = vega.axis(view.colour).place;
    return row => vega.viridis(place(row));
  };
  const draw = {
    async parallel() {
      const found = await vega.parallel(at("parallel"), {columns: view.axes, rows: rows(), lit: test, tint: tint(), label, brushed});
      if (!found) return;
      charts.parallel = found;
      charts.cut = found.cut;
      found.update(test, brushes(found.axes));
      at("parallel-help").firstChild.data = found.cut ? `${table.rows - found.cut} of ${table.rows} runs are drawn. ${help}` : help;
    },
    async scatter() {
      charts.scatter = await vega.scatter(at("scatter"), {x: view.x, y: view.y, rows: rows(), lit: test, tint: tint(), label,
        open: row => { location.href = page.home(row); }});
    },
  };

  // light: only the filter changed; dragging: and it will again in a moment
  const follow = ({light, dragging} = {}) => {
    const state = address.read(), before = view, one = word => (state.has(word) && column(state.get(word))) || presets[word]();
    test = page.view.parsed.test;
    if (light && view.axes) { charts.parallel?.update(test, brushes(charts.parallel.axes)); if (!dragging) charts.scatter?.update(test); return; }
    view = {axes: list(state, "axes", presets.axes), colour: one("colour"), x: one("x"), y: one("y"), rows: table.rows};
    for (const word of ["colour", "x", "y"]) choices(at(word), table.all.filter(drawable).map(c => [name(c), c.kind === "attributes" ? c.label : `${c.kind}.${c.name}`]), name(view[word]));
    const same = (...words) => ["rows", "colour", ...words].every(word => String(before[word]) === String(view[word]));
    if (charts.parallel) same("axes") ? charts.parallel.update(test, brushes(charts.parallel.axes)) : draw.parallel();
    if (charts.scatter) same("x", "y") ? charts.scatter.update(test) : draw.scatter();
  };

  for (const word of ["colour", "x", "y"]) at(word).addEventListener("change", e => page.write({[word]: e.target.value}));
  at("filter").addEventListener("change", () => { if (charts.cut) draw.parallel(); });
  page.follow(follow);
  follow();
  gitml.sheet(at("axes"), {columns: () => table.all.filter(drawable), chosen: () => view.axes, change: next => page.write({axes: next.map(name).join(",")})});
  vega.seen(at("parallel"), draw.parallel);
  vega.seen(at("scatter"), draw.scatter);
});
