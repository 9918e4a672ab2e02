// Panels of metric curves with smoothing, log scale and a choice of what goes across.
"use strict";
gitml.curves = (() => {
  const {el, number} = gitml, {show, extent, scale, seen} = gitml.charts;
  const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b"];
  const DASHES = [[], [7, 3], [2, 2], [10, 3, 2, 3]];

  // A run keeps its colour and dash between views, for both come from its id. Among runs shown
  // together the later of two with one colour takes the next that is free.
  const taken = new Map();
  const colour = id => {
    if (!taken.has(id)) {
      const used = new Set(taken.values());
      let k = parseInt(id.slice(0, 7), 16) % OKABE.length;
      if (used.size < OKABE.length) while (used.has(OKABE[k])) k = (k + 1) % OKABE.length;
      taken.set(id, OKABE[k]);
    }
    return taken.get(id);
  };
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

  // series: [{name, id, x: [], y: []}]
  const curves = (box, {series, title, across, weight, log}) => {
    const width = Math.max(120, box.clientWidth - 84), height = box.clientHeight - 62;
    const [x0, x1] = extent(series.flatMap(s => s.x));
    let [y0, y1] = extent(series.flatMap(s => log ? s.y.filter(v => v > 0) : s.y));
    const f = log ? Math.log : v => v, pad = log ? 0 : (y1 - y0) * .05;
    [y0, y1] = [y0 - pad, y1 + pad];
    if (log && y0 <= 0) y0 = y1 / 10;
    const path = (s, values) => {
      let text = "", pen = false;
      s.x.forEach((x, k) => {
        const v = values[k];
        if (!Number.isFinite(v) || (log && v <= 0)) { pen = false; return; }
        text += `${pen ? "L" : "M"}${((x - x0) / (x1 - x0) * width).toFixed(1)},${((f(y1) - f(v)) / (f(y1) - f(y0)) * height).toFixed(1)}`;
        pen = true;
      });
      return text || "M0,0";
    };
    const lines = series.flatMap(s => {
      const look = {colour: colour(s.id), dash: series.length > 1 ? dash(s.id) : [], name: s.name};
      const main = {...look, faint: false, path: path(s, smooth(s.y, weight))};
      return weight ? [{...look, dash: [], faint: true, path: path(s, s.y)}, main] : [main];
    });
    const dots = series.flatMap(s => s.x.map((x, k) => ({x, y: s.y[k], colour: colour(s.id), name: s.name, text: `${title}: ${number(s.y[k])}\n${across}: ${number(x)}`}))
      .filter(p => Number.isFinite(p.y) && (!log || p.y > 0)));
    return show(box, "curves", {
      change: spec => scale(spec, "y", log ? "log" : "linear"),
      values: {lines, dots: dots.length > 4000 ? [] : dots},
      signals: {width, height, xdomain: [x0, x1], ydomain: [y0, y1], xtitle: across, ytitle: ""},
    });
  };

  // Panels of curves with their controls; `runs` are records of data/runs/.
  const panels = runs => {
    const section = document.getElementById("curves"), grid = document.getElementById("panels");
    const control = id => document.getElementById(id);
    const names = [...new Set(runs.flatMap(run => run.curves.map(c => c[0])))].sort().slice(0, 60);
    section.hidden = !names.length;
    const boxes = names.map(name => {
      const box = el("div", {class: "chart small", role: "img", "aria-label": `Curve of ${name}`});
      grid.append(el("figure", {}, el("figcaption", {}, el("bdi", {}, name)), box));
      const draw = () => {
        const time = control("across").value === "time";
        const series = runs.flatMap(run => run.curves.filter(c => c[0] === name).map(([, steps, times, values]) => ({
          name: run.name, id: run.id, x: time ? times.map(t => t / 1000) : steps, y: values.map(Number)})));
        return curves(box, {series, title: name, across: time ? "seconds" : "step", weight: Number(control("smooth").value), log: control("log").checked});
      };
      seen(box, draw);
      return () => box.chart && draw();
    });
    for (const id of ["smooth", "across", "log"]) control(id).addEventListener("input", () => boxes.forEach(draw => draw()));
  };

  return {colour, panels};
})();
