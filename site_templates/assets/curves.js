// Panels of metric curves with smoothing, log scale and a choice of what goes across.
"use strict";
gitml.curves = (() => {
  const {el, at, number, address, charts, bdi} = gitml, {show, extent, seen, look, nearest, legend, PADDING} = charts;

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

  // An axis of so many pixels; at(value) is NaN where a log axis has no place.
  const scale = (values, size, log, room, clock) => {
    let [low, high] = extent(log ? values.filter(v => v > 0) : values, clock);
    const more = log ? 0 : (high - low) * room, f = log ? Math.log : v => v;
    [low, high] = [low - more, high + more];
    if (log && low <= 0) low = high / 10;
    return {domain: [low, high], at: v => log && v <= 0 ? NaN : (f(v) - f(low)) / (f(high) - f(low)) * size};
  };

  // series: [{row, name, id, x: [], y: []}]
  const curves = async (box, {series, title, across, weight, log, logAcross}) => {
    const padding = {...PADDING, top: 12}, clock = across.type === "utc";
    const width = Math.max(120, box.clientWidth - PADDING.left - PADDING.right), height = box.clientHeight - padding.top - padding.bottom;
    const xs = scale(series.flatMap(s => s.x), width, logAcross, 0, clock), ys = scale(series.flatMap(s => s.y), height, log, .05), px = xs.at, py = v => height - ys.at(v);
    const path = (s, values) => {
      let text = "", pen = false;
      s.x.forEach((x, k) => {
        const [left, top] = [px(x), py(values[k])], here = Number.isFinite(left + top);
        if (here) text += `${pen ? "L" : "M"}${left.toFixed(1)},${top.toFixed(1)}`;
        pen = here;
      });
      return text || "M0,0";
    };
    const mains = new Map();
    const say = gitml.apart(series.flatMap(s => s.y));
    let find = null;
    const points = () => nearest(series.flatMap(s => s.x.map((x, k) => ({s, k, x: px(x), y: py(s.y[k])})).filter(({x, y}) => Number.isFinite(x + y))));
    const lines = series.flatMap(s => {
      const main = {...look(s.id), faint: false, path: path(s, smooth(s.y, weight))};
      mains.set(s.row, main);
      return weight ? [{...main, dash: [], faint: true, path: path(s, s.y)}, main] : [main];
    });
    const near = (x, y) => {
      const found = (find = find || points())(x, y);
      return found && {row: found.s.row, name: found.s.name, text: `${title}: ${say(found.s.y[found.k])}\n${across.label}: ${clock ? gitml.moment(found.s.x[found.k], xs.domain[1] - xs.domain[0]) : number(found.s.x[found.k])}`};
    };
    const chart = await show(box, "plane", {
      sets: {lines}, scales: {x: {type: logAcross ? "log" : across.type}, y: {type: log ? "log" : "linear"}},
      signals: {width, height, xtime: clock, xdomain: xs.domain, ydomain: ys.domain, xtitle: across.label},
      padding, near,
      follow: row => chart.data({hot: series.length > 1 && mains.has(row) ? [mains.get(row)] : []}),
    });
    box.key = series.length > 1 && legend(series.map(s => [look(s.id).colour, s.name]));
  };

  const ACROSS = {
    step: {label: "step", type: "linear", of: (run, [, steps]) => steps},
    time: {label: "seconds since start", type: "linear", of: (run, [,, times]) => times.map(t => t / 1000)},
    clock: {label: "time (UTC)", type: "utc", of: (run, [,, times]) => times.map(t => run.start + t)},
  };

  // Panels of curves with their controls; `runs` are records of data/runs/.
  const panels = runs => {
    const section = at("curves"), system = at("system");
    const names = [...new Set(runs.flatMap(run => run.curves.map(c => c[0])))].sort().slice(0, 120), apart = name => system && name.startsWith("system/");
    section.hidden = !names.length;
    if (system) system.hidden = !names.some(apart);
    // One legend for all panels; a run in it lights up in each.
    if (runs.length > 1) at("panels").before(el("ul", "badges runs", ...runs.map((run, row) =>
      el("li", {onpointerenter: () => charts.hover(row), onpointerleave: () => charts.hover(null)}, charts.swatch(run.id), bdi(run.name)))));
    const boxes = names.map(name => {
      const box = el("div", {class: "chart small", role: "img", "aria-label": `Curve of ${name}`});
      at(apart(name) ? "system-panels" : "panels").append(el("figure", {}, el("figcaption", "split", bdi(name)), box));
      const draw = () => {
        const which = ACROSS[at("across").value], across = which === ACROSS.step && runs.every(run => run.curves.every(c => c[0] !== name || c[4])) ? {...which, label: "order of logging"} : which;
        const series = runs.flatMap((run, row) => run.curves.filter(c => c[0] === name).map(curve => ({
          row, name: run.name, id: run.id, x: across.of(run, curve), y: curve[3].map(Number)})));
        return curves(box, {series, title: name, across, weight: Number(at("smooth").value), log: at("log").checked,
          logAcross: at("log-across").checked && across.type !== "utc"});
      };
      seen(box, draw);
      return {box, column: {kind: "metrics", label: name}, draw};
    });
    // Without a choice all are shown.
    const only = () => { const names = (address.read().get("metrics") || "").split(","); return boxes.map(({column}) => column).filter(({label}) => names.includes(encodeURIComponent(label))); };
    const redraw = () => {
      const some = only();
      for (const {box, column, draw} of boxes) {
        box.parentElement.hidden = some.length > 0 && !some.includes(column);
        if (box.chart) draw();
      }
      at("log-across").disabled = at("across").value === "clock";
    };
    address.bind(["smooth", "across", "log", "log-across"], redraw);
    gitml.sheet(at("chosen-metrics"), {columns: () => boxes.map(({column}) => column), chosen: only, change(next) {
      address.write({metrics: next.map(({label}) => encodeURIComponent(label)).join(",")}, true);
      redraw();
    }});
  };

  return {panels};
})();
