// Panels of metric curves with smoothing, log scale and a choice of what goes across.
"use strict";
gitml.curves = (() => {
  const {el, number, charts} = gitml, {show, extent, seen, colour, nearest, legend, PADDING} = charts;
  const DASHES = [[], [7, 3], [2, 2], [10, 3, 2, 3]];
  const dash = id => DASHES[parseInt(id.slice(7, 12), 16) % DASHES.length];

  // Exponential moving average without the pull towards the first value.
  const smooth = (values, weight) => {
    let sum = 0, norm = 0;
    return values.map(v => {
      if (!weight || !Number.isFinite(v)) return v;
      sum = sum * weight + v * (1 - weight);
      norm = norm * weight + 1 - weight;
      return sum / norm;
    });
  };

  // series: [{row, name, id, x: [], y: []}]
  const curves = async (box, {series, title, across, weight, log}) => {
    const named = series.length > 1 && series.length <= 6, padding = {...PADDING, top: named ? PADDING.top : 12};
    const width = Math.max(120, box.clientWidth - PADDING.left - PADDING.right), height = box.clientHeight - padding.top - padding.bottom;
    const [x0, x1] = extent(series.flatMap(s => s.x));
    let [y0, y1] = extent(series.flatMap(s => log ? s.y.filter(v => v > 0) : s.y));
    const f = log ? Math.log : v => v, pad = log ? 0 : (y1 - y0) * .05;
    [y0, y1] = [y0 - pad, y1 + pad];
    if (log && y0 <= 0) y0 = y1 / 10;
    const px = x => (x - x0) / (x1 - x0) * width, py = v => (f(y1) - f(v)) / (f(y1) - f(y0)) * height;
    const path = (s, values) => {
      let text = "", pen = false;
      s.x.forEach((x, k) => {
        const v = values[k];
        if (!Number.isFinite(v) || (log && v <= 0)) { pen = false; return; }
        text += `${pen ? "L" : "M"}${px(x).toFixed(1)},${py(v).toFixed(1)}`;
        pen = true;
      });
      return text || "M0,0";
    };
    const mains = new Map();
    let find = null;
    const points = () => nearest(series.flatMap(s => s.x.map((x, k) => ({s, k, x: px(x), y: py(s.y[k])})).filter(({y}) => Number.isFinite(y))));
    const lines = series.flatMap(s => {
      const look = {colour: colour(s.id), dash: series.length > 1 ? dash(s.id) : []}, main = {...look, faint: false, path: path(s, smooth(s.y, weight))};
      mains.set(s.row, main);
      return weight ? [{...look, dash: [], faint: true, path: path(s, s.y)}, main] : [main];
    });
    const near = (x, y) => {
      const found = (find = find || points())(x, y);
      return found && {row: found.s.row, name: found.s.name, text: `${title}: ${number(found.s.y[found.k])}\n${across.label}: ${across.said(found.s.x[found.k])}`};
    };
    const chart = await show(box, "plane", {
      sets: {lines, legend: named ? legend(series.map(s => [colour(s.id), s.name])) : []}, scales: {x: {type: across.type}, y: {type: log ? "log" : "linear"}},
      signals: {width, height, xdomain: [x0, x1], ydomain: [y0, y1], xtitle: across.label},
      padding, near,
      follow: row => chart.data({hot: series.length > 1 && mains.has(row) ? [mains.get(row)] : []}),
    });
  };

  const ACROSS = {
    step: {label: "step", type: "linear", said: number, of: (run, [, steps]) => steps},
    time: {label: "seconds since start", type: "linear", said: number, of: (run, [,, times]) => times.map(t => t / 1000)},
    clock: {label: "time (UTC)", type: "utc", said: gitml.moment, of: (run, [,, times]) => times.map(t => run.start + t)},
  };

  // Panels of curves with their controls; `runs` are records of data/runs/.
  const panels = runs => {
    const section = document.getElementById("curves"), system = document.getElementById("system");
    const control = id => document.getElementById(id);
    const names = [...new Set(runs.flatMap(run => run.curves.map(c => c[0])))].sort().slice(0, 120), apart = name => system && name.startsWith("system/");
    section.hidden = !names.length;
    if (system) system.hidden = !names.some(apart);
    const boxes = names.map(name => {
      const box = el("div", {class: "chart small", role: "img", "aria-label": `Curve of ${name}`});
      document.getElementById(apart(name) ? "system-panels" : "panels").append(el("figure", {}, el("figcaption", {class: "split"}, el("bdi", {}, name)), box));
      const draw = () => {
        const across = ACROSS[control("across").value];
        const series = runs.flatMap((run, row) => run.curves.filter(c => c[0] === name).map(curve => ({
          row, name: run.name, id: run.id, x: across.of(run, curve), y: curve[3].map(Number)})));
        return curves(box, {series, title: name, across, weight: Number(control("smooth").value), log: control("log").checked});
      };
      seen(box, draw);
      return () => box.chart && draw();
    });
    for (const id of ["smooth", "across", "log"]) control(id).addEventListener("input", () => boxes.forEach(draw => draw()));
  };

  return {panels};
})();
