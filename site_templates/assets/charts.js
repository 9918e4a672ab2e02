// Parallel coordinates and scatter: fills the specifications of charts.py with data, colours, domains.
"use strict";
gitml.charts = (() => {
  const {el, number} = gitml;
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const LINES = 2000;

  const viridis = t => {
    if (!(t >= 0)) return "#999";
    const at = (.17 + .68 * Math.min(t, 1)) * (VIRIDIS.length - 1), k = Math.min(Math.floor(at), VIRIDIS.length - 2);
    return `rgb(${VIRIDIS[k].map((c, i) => Math.round(c + (VIRIDIS[k + 1][i] - c) * (at - k)))})`;
  };

  // A canvas cannot read custom properties, so a probe element resolves them.
  const theme = () => {
    const probe = document.body.appendChild(el("i")), found = {};
    for (const name of ["ink", "quiet", "rule", "card", "accent"]) {
      probe.style.color = `var(--${name})`;
      found[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    return found;
  };

  const tip = document.body.appendChild(el("div", {class: "tip", hidden: true}));
  const tooltip = (event, value) => {
    tip.hidden = !value || !value.name;
    if (tip.hidden) return;
    tip.replaceChildren(el("b", {}, value.name), ...(value.text || "").split("\n").map(text => el("div", {}, text)));
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 14 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 8 : event.clientY + 14}px`;
  };

  const said = (column, row) => {
    const v = column.values[row];
    return `${column.label}: ${typeof v === "number" ? number(v) : String(v ?? "–").slice(0, 60)}`;
  };

  const live = new Set();
  addEventListener("gitml:theme", () => live.forEach(chart => chart.signals(theme())));

  // Draws into `box`; a newer drawing into the same box replaces an older one that is under way.
  const show = async (box, name, {values, signals, change}) => {
    const turn = box.turn = (box.turn || 0) + 1;
    let spec;
    try {
      await gitml.load("vega", "specs");
      spec = structuredClone(await gitml.get("specs"));
    } catch (error) { gitml.failed(box, error); return null; }
    if (turn !== box.turn) return null;
    if (change) change(spec[name]);
    if (box.chart) { live.delete(box.chart); box.chart.close(); }
    const stage = el("div");
    box.replaceChildren(stage);
    box.chart = await gitmlChart(stage, spec[name], {tooltip, values, signals: {...theme(), ...signals}});
    live.add(box.chart);
    return turn === box.turn ? box.chart : null;
  };

  const extent = numbers => {
    let low = Infinity, high = -Infinity;
    for (const v of numbers) if (Number.isFinite(v)) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
  };

  const logged = (low, high) => low > 0 && high / low >= 99;

  // One axis of parallel coordinates: values to 0 (bottom) … 1 (top), and back.
  const axis = column => {
    if (column.numbers) {
      const [low, high] = extent(column.numbers);
      const log = logged(low, high), f = log ? Math.log10 : v => v, a = f(low), b = f(high);
      const few = [...new Set(column.numbers)].filter(Number.isFinite);
      const share = v => (f(v) - a) / (b - a), value = t => log ? 10 ** (a + t * (b - a)) : a + t * (b - a);
      return {column, low, high, log, value, place: row => Number.isFinite(column.numbers[row]) ? share(column.numbers[row]) : NaN,
        at: v => share(Math.min(Math.max(v, low), high)),
        ticks: few.length < 7 ? few.map(v => [share(v), number(v)]) : [0, .25, .5, .75, 1].map(t => [t, number(+value(t).toPrecision(3))])};
    }
    const names = [...new Set(column.values.filter(v => v !== null))].sort(), spot = new Map(names.map((v, k) => [v, (k + .5) / names.length]));
    return {column, names, spot, place: row => spot.get(column.values[row]) ?? NaN, ticks: names.slice(0, 40).map(v => [spot.get(v), v])};
  };

  // rows: what may be drawn; lit(row): whether it passes the filter; brushed(axis, [low, high] in 0…1 or null, done)
  const parallel = async (box, {columns, rows, lit, tint, label, brushed}) => {
    const width = Math.max(box.clientWidth, 90 * columns.length), height = box.clientHeight - 4, top = 40, bottom = height - 20;
    const axes = columns.map(axis), left = 28, gap = (width - 2 * left) / Math.max(1, axes.length - 1);
    const x = k => left + k * gap, y = t => bottom - t * (bottom - top);
    const drawn = rows.length > LINES ? rows.filter(lit).slice(0, LINES) : rows;
    const lines = drawn.map(row => {
      let path = "", pen = false;
      axes.forEach((a, k) => {
        const t = a.place(row);
        if (!(t === t)) { pen = false; return; }
        path += `${pen ? "L" : "M"}${x(k).toFixed(1)},${y(t).toFixed(1)}`;
        pen = true;
      });
      return {row, path: path || "M0,0", colour: tint(row), on: lit(row), name: label(row), text: columns.slice(0, 12).map(c => said(c, row)).join("\n")};
    });
    const ends = k => k === 0 ? "left" : k === axes.length - 1 ? "right" : "center";
    const rects = found => found.map(([k, low, high]) => ({x: x(k), y0: y(high), y1: y(low)}));
    const count = lines.filter(line => line.on).length;
    const chart = await show(box, "parallel", {
      values: {lines,
        axes: axes.map((a, k) => ({axis: k, x: k === 0 ? 4 : k === axes.length - 1 ? width - 4 : x(k), at: x(k), title: a.column.label, align: ends(k), limit: gap - 10})),
        ticks: axes.flatMap((a, k) => a.ticks.map(([t, text]) => ({x: x(k), y: y(t), label: text, align: k === axes.length - 1 ? "right" : "left", dx: k === axes.length - 1 ? -8 : 8})))},
      signals: {width, height, top, bottom, lineOpacity: Math.max(.3, Math.min(.9, 12 / Math.sqrt(count || 1))), lineWidth: count > 300 ? 1 : 1.75},
    });
    if (!chart) return null;
    chart.listen("drag", drag => {
      if (!drag) return;
      const clamp = p => Math.min(1, Math.max(0, (bottom - p) / (bottom - top)));
      const low = clamp(Math.max(drag.from, drag.to)), high = clamp(Math.min(drag.from, drag.to)), a = axes[drag.axis];
      const range = Math.abs(drag.from - drag.to) < 4 ? null : [low, high];
      brushed(a, range, drag.done);
    });
    return {axes, cut: rows.length - drawn.length, update: (test, found) => chart.modify("lines", "on", line => test(line.row), {brushes: rects(found)})};
  };

  const domain = column => {
    if (!column.numbers) return {type: "point", domain: [...new Set(column.values.filter(v => v !== null))].sort().slice(0, 60)};
    const [low, high] = extent(column.numbers), pad = (high - low) * .04;
    if (column.name === "start_time" && column.kind === "attributes") return {type: "utc", domain: [low - pad, high + pad]};
    return logged(low, high) ? {type: "log", domain: [low / 1.2, high * 1.2]} : {type: "linear", domain: [low - pad, high + pad]};
  };
  const scale = (spec, name, type) => {
    const found = spec.scales.find(s => s.name === name);
    found.type = type;
    if (type === "point") { found.padding = .5; delete found.zero; delete found.nice; }
    if (type === "log" || type === "utc") delete found.zero;
  };

  const scatter = async (box, {x, y, rows, lit, tint, label, open}) => {
    const at = (column, row) => column.numbers ? column.numbers[row] : column.values[row];
    const fits = v => v !== null && v !== undefined && (typeof v !== "number" || Number.isFinite(v));
    const points = rows.filter(row => fits(at(x, row)) && fits(at(y, row))).slice(0, 5 * LINES).map(row => ({row, x: at(x, row), y: at(y, row), on: lit(row),
      colour: tint(row), name: label(row), text: [x, y].map(c => said(c, row)).join("\n")}));
    const across = domain(x), up = domain(y);
    const chart = await show(box, "scatter", {
      change: spec => { scale(spec, "x", across.type); scale(spec, "y", up.type); },
      values: {points},
      signals: {width: Math.max(120, box.clientWidth - 84), height: box.clientHeight - 62, xdomain: across.domain, ydomain: up.domain, xtitle: x.label, ytitle: y.label},
    });
    if (!chart) return null;
    chart.on("click", datum => datum && datum.row !== undefined && open(datum.row));
    return {update: test => chart.modify("points", "on", point => test(point.row))};
  };

  // Calls back when a box gets another width, and once when it first comes into sight.
  const seen = (box, then) => {
    let width = 0;
    new IntersectionObserver((entries, watch) => {
      if (!entries.some(e => e.isIntersecting)) return;
      watch.disconnect();
      new ResizeObserver(() => { if (box.clientWidth && Math.abs(box.clientWidth - width) > 4) { width = box.clientWidth; then(); } }).observe(box);
    }, {rootMargin: "200px"}).observe(box);
  };

  return {axis, viridis, show, extent, scale, parallel, scatter, seen};
})();
