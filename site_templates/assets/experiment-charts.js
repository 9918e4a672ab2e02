// The charts of an experiment's page: they draw the view of the table and rewrite the filter.
"use strict";
gitml.experiment.then(page => {
  const {at, address, choices, on, charts: vega} = gitml, {table, name, column, label} = page;
  const drawable = c => c.numbers || c.distinct <= 40;
  const few = c => c.distinct > 1 && c.distinct <= 20;
  const numeric = () => page.telling().filter(c => c.numbers), first = () => page.metrics()[0] || page.attribute("duration");
  const axes = () => [...page.telling().filter(drawable).slice(0, 5), ...page.metrics().slice(0, 3)].map(column => ({column}));
  // What is chosen in each select: which columns may be, and which one is when the address does not say
  const picks = {
    colour: [drawable, () => page.metrics()[0] || page.attribute("start_time")],
    x: [drawable, () => numeric()[0] || page.attribute("start_time")],
    y: [drawable, first],
    goal: [c => c.numbers && c.kind !== "params", first],
    of: [c => c.numbers, first],
    by: [few, () => page.telling().find(c => few(c) && !c.numbers) || table.all.find(few)],
    split: [c => few(c) && c.distinct < 7, () => null],
    cx: [c => c.numbers, () => numeric()[0]],
    cy: [c => c.numbers, () => numeric()[1]],
    cz: [c => c.numbers, first],
  };
  const help = at("parallel-help").textContent, charts = {};
  let view = {looks: {}}, test = () => true;

  const written = axis => vega.written(axis, name), read = text => vega.read(text, column), brushes = axes => vega.brushes(axes, page.view.parsed.clauses);
  const rearrange = axes => page.write({axes: axes.map(written).join(",")});

  // ---- a brush only rewrites the filter; the table, the lines and the brush itself follow the filter
  // While it is dragged only the lines follow at once, and the rest when the pointer pauses.
  let frame = 0, pause = 0;
  const brushed = (axis, ranges, done) => {
    const q = vega.brushed(address.read().get("q") || "", axis, ranges);
    cancelAnimationFrame(frame);
    clearTimeout(pause);
    if (done) {
      address.write({q}, true);
      page.apply({light: true});
      return;
    }
    address.hold({q});
    frame = requestAnimationFrame(() => {
      at("filter").value = q;
      page.view.parsed = gitml.filter.parse(q, table);
      charts.parallel.update(page.view.parsed.test, brushes(charts.parallel.axes));
      pause = setTimeout(() => page.apply({light: true, dragging: true}), 120);
    });
  };

  const picked = word => view.picks[word], shown = () => page.view.rows;
  const rows = () => Array.from({length: table.rows}, (_, row) => row), open = row => { location.href = page.home(row); };
  const draw = {
    async parallel() {
      const found = await vega.parallel(at("parallel"), {axes: view.axes, rows: rows(), lit: test, tint: vega.tint(picked("colour").column), label, brushed, open,
        change: rearrange});
      if (!found) return;
      charts.parallel = found;
      found.update(test, brushes(found.axes));
      at("parallel-help").firstChild.data = found.cut ? `${table.rows - found.cut} of ${table.rows} runs are drawn. ${help}` : help;
    },
    async scatter() {
      const found = charts.scatter = await vega.scatter(at("scatter"), {x: picked("x"), y: picked("y"), rows: rows(), lit: test, tint: vega.tint(picked("colour").column), label, open});
      if (found) at("scatter-help").textContent = found.cut ? `${table.rows - found.cut} of ${table.rows} runs are drawn.` : "";
    },
    importance: () => vega.importance(at("importance"), {goal: picked("goal").column, columns: page.telling(), rows: shown()}),
    box: () => picked("by") ? vega.box(at("box"), {by: picked("by").column, split: picked("split")?.column, of: picked("of"), rows: shown(), label, open})
      : vega.none(at("box")),
    contour: () => picked("cx") && picked("cy") ? vega.contour(at("contour"), {x: picked("cx").column, y: picked("cy").column, z: picked("cz").column, rows: shown(), label, open})
      : vega.none(at("contour")),
  };
  // Charts of the runs that pass the filter, and what they are made of; drawn anew when it rests.
  const SHOWN = {importance: ["goal"], box: ["of", "by", "split"], contour: ["cx", "cy", "cz"]}, due = new Set();
  let rest = 0;
  const redraw = (words, wait) => {
    for (const word of words) due.add(word);
    clearTimeout(rest);
    rest = setTimeout(() => { for (const word of due) if (at(word).turn) draw[word](); due.clear(); }, wait);
  };

  // After the table is painted, or typing into the filter would wait for the charts.
  let soon = 0;
  const lit = () => {
    if (charts.parallel) charts.parallel.cut ? draw.parallel() : charts.parallel.update(test, brushes(charts.parallel.axes));
    if (charts.scatter) charts.scatter.cut ? draw.scatter() : charts.scatter.update(test);
    redraw(Object.keys(SHOWN), 200);
  };

  // light: only the filter changed; dragging: and it will again in a moment
  const follow = ({light, dragging} = {}) => {
    const state = address.read(), before = view;
    test = page.view.parsed.test;
    cancelAnimationFrame(soon);
    if (light && view.axes) {
      view.q = state.get("q");
      if (dragging) charts.parallel?.update(test, brushes(charts.parallel.axes));
      else soon = requestAnimationFrame(() => setTimeout(lit));
      return;
    }
    view = {axes: vega.axes(column) || axes(), picks: {}, rows: table.rows, q: state.get("q")};
    for (const [word, [fits, preset]] of Object.entries(picks)) {
      const fit = table.all.filter(fits), asked = state.has(word) && read(state.get(word)), column = preset();
      const pick = view.picks[word] = asked && fit.includes(asked.column) ? asked : column && {column}, log = at(`${word}-log`);
      choices(at(word), [...(word === "split" ? [["", "nothing"]] : []), ...fit.map(c => [name(c), c.kind === "attributes" ? c.label : `${c.kind}.${c.name}`])], pick ? name(pick.column) : "");
      if (!log) continue;
      log.disabled = !pick || !vega.able(pick.column);
      log.checked = !!pick && vega.axis(pick).log;
    }
    view.looks = {axes: view.axes.map(written), ...Object.fromEntries(Object.entries(view.picks).map(([word, pick]) => [word, pick ? written(pick) : ""]))};
    const same = (...words) => before.rows === view.rows && words.every(word => String(before.looks[word]) === String(view.looks[word]));
    if (charts.parallel) same("axes", "colour") && !charts.parallel.cut ? charts.parallel.update(test, brushes(charts.parallel.axes)) : draw.parallel();
    if (charts.scatter) same("colour", "x", "y") && !charts.scatter.cut ? charts.scatter.update(test) : draw.scatter();
    redraw(Object.keys(SHOWN).filter(word => view.q !== before.q || !same(...SHOWN[word])), 0);
  };

  // ---- the run under the pointer or the keys, in the table as in the charts
  const grid = at("grid"), row = e => { const line = e.target.closest("[data-row]"); return line ? Number(line.dataset.row) : null; };
  on(grid, "pointerover focusin", e => vega.hover(row(e)));
  on(grid, "pointerleave focusout", () => vega.hover(null));
  vega.watch(hot => {
    for (const line of grid.querySelectorAll(".hot")) line.classList.remove("hot");
    grid.querySelector(`[data-row="${hot}"]`)?.classList.add("hot");
  });

  for (const word of Object.keys(picks)) {
    on(at(word), "change", e => page.write({[word]: e.target.value}));
    at(`${word}-log`)?.addEventListener("change", e => page.write({[word]: written({column: picked(word).column, log: e.target.checked})}));
  }
  page.follow(follow);
  follow();
  vega.axesMenu(() => table.all.filter(drawable), () => view.axes, rearrange);
  for (const [word, then] of Object.entries(draw)) vega.seen(at(word), then);
});
