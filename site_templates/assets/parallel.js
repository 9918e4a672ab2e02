// Parallel coordinates: a line per run, a brush per axis; axes are moved by dragging their names.
"use strict";
(() => {
  const {max, min, abs} = Math;
  const {el, charts, bdi, on} = gitml, LINES = 2000;

  // A menu on each axis's name; keys and the pointer move it. change(list) gets the axes' new order and looks.
  const heads = (box, stage, {axes, specs, x, width, gap, change}) => specs.forEach((spec, k) => {
    const order = (from, to) => {
      const list = [...specs], [mine] = list.splice(from, 1);
      list.splice(min(max(to, 0), list.length), 0, mine);
      box.focused = mine.column;
      change(list);
    };
    const remake = more => { box.focused = spec.column; change(specs.map(s => s === spec ? {...s, ...more} : s)); };
    const head = el("summary", {title: spec.column.label, "aria-label": `Axis ${spec.column.label}`}, bdi(spec.column.label), spec.flip ? " ↓" : "");
    const menu = el("details", `menu axis${x(k) > width / 2 ? " right" : ""}`, head);
    const item = (label, then) => gitml.button(label, () => { menu.open = false; then(); });
    const choices = [item("Flip", () => remake({flip: !spec.flip}))];
    if (charts.able(spec.column)) choices.push(item(axes[k].log ? "Linear scale" : "Log scale", () => remake({log: !axes[k].log})));
    if (k) choices.push(item("Move left", () => order(k, k - 1)));
    if (k < specs.length - 1) choices.push(item("Move right", () => order(k, k + 1)));
    if (specs.length > 2) choices.push(item("Remove", () => change(specs.filter(s => s !== spec))));
    menu.append(el("div", "sheet", ...choices));
    const room = min(gap - 8, 160), left = k === 0 ? 0 : k === specs.length - 1 ? width - room : x(k) - room / 2;
    Object.assign(menu.style, {left: `${left}px`, width: `${room}px`});
    on(head, "keydown", e => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[e.key];
      if (step) { e.preventDefault(); order(k, k + step); }
    });
    let from = null, moved = 0;
    on(head, "pointerdown", e => { from = e.clientX; moved = 0; head.setPointerCapture(e.pointerId); });
    on(head, "pointermove", e => {
      if (from === null) return;
      moved = e.clientX - from;
      menu.style.transform = abs(moved) > 5 ? `translateX(${moved}px)` : "";
    });
    on(head, "pointerup", () => {
      from = null;
      menu.style.transform = "";
      const to = min(max(Math.round(k + moved / gap), 0), specs.length - 1);
      if (to !== k) order(k, to);
    });
    on(head, "click", e => { if (abs(moved) > 5) e.preventDefault(); });
    stage.append(menu);
    if (box.focused === spec.column) { box.focused = null; head.focus({preventScroll: true}); }
  });

  // ---- an axis in the address: -metrics.rmse:log is rmse upside down on a log scale
  charts.written = ({column, log, flip}, name) => `${flip ? "-" : ""}${name(column)}${log === undefined ? "" : log ? ":log" : ":lin"}`;
  charts.read = (text, find) => {
    const [, flip, word, scale] = /^(-?)(.*?)(:log|:lin)?$/.exec(text), column = find(word);
    return column && {column, flip: !!flip, log: scale && scale === ":log"};
  };
  charts.axes = find => gitml.address.read().get("axes")?.split(",").map(text => charts.read(text, find)).filter(Boolean);
  // A menu of axes: columns() can be, axes() are, change(axes) is told.
  charts.axesMenu = (columns, axes, change) => gitml.sheet(gitml.at("axes"), {columns, chosen: () => axes().map(axis => axis.column),
    change: next => change(next.map(column => axes().find(axis => axis.column === column) || {column}))});

  // ---- brushes and what they say in the filter language: clauses to [[number of the axis, low, high], …] in 0 … 1, and back
  charts.brushes = (axes, clauses) => axes.flatMap((axis, k) => {
    const mine = clauses.filter(c => c.key && c.key.kind === axis.column.kind && c.key.name === axis.column.name), ends = (a, b) => [k, min(a, b), max(a, b)];
    if (!axis.column.numbers) {
      const half = .5 / axis.names.length;
      return [...mine.find(c => c.among)?.among || []].filter(v => axis.spot.has(v)).map(v => ends(axis.spot.get(v) - half, axis.spot.get(v) + half));
    }
    const [low, high, several] = ["low", "high", "ranges"].map(word => mine.find(c => c[word] !== undefined)?.[word]);
    const ranges = several || (low !== undefined || high !== undefined ? [[low ?? axis.low, high ?? axis.high]] : []);
    return ranges.map(range => ends(...range.map(axis.at)));
  });
  const clause = (axis, ranges) => {
    const word = gitml.filter.name(axis.column), {numbers} = axis.column;
    if (!ranges.length || !word) return "";
    if (!numbers) {
      const half = .5 / axis.names.length, inside = axis.names.filter(v => ranges.some(([low, high]) => axis.spot.get(v) + half > low && axis.spot.get(v) - half < high));
      return inside.length && inside.length < axis.names.length ? `${word} IN (${inside.map(gitml.filter.quote).join(", ")})` : "";
    }
    const round = t => { const v = axis.value(t), span = axis.high - axis.low; return axis.log ? +v.toPrecision(4) : +v.toFixed(max(0, min(12, 3 - Math.floor(Math.log10(span))))); };
    const [[low, high], ...more] = ranges.map(range => range.map(round).sort((a, b) => a - b));
    return more.length ? `(${[[low, high], ...more].map(([low, high]) => `${word} BETWEEN ${low} AND ${high}`).join(" OR ")})` : `${word} >= ${low} AND ${word} <= ${high}`;
  };
  charts.brushed = (text, axis, ranges) => gitml.filter.replace(text, axis.column, clause(axis, ranges));

  // A drag along an axis makes its brush, with Shift one more; one that starts inside a brush moves it; a click clears it.
  const brush = (stage, {axes, x, t, brushes, brushed}) => {
    let drag = null, mine = false;
    on(stage, "click", e => { if (mine && !e.target.closest(".axis")) e.stopPropagation(); }, true);
    const at = e => { const place = stage.getBoundingClientRect(); return [e.clientX - place.left, t(e.clientY - place.top)]; };
    on(stage, "pointerdown", e => {
      const [px, here] = at(e), k = axes.findIndex((_, i) => abs(x(i) - px) <= 16);
      mine = k >= 0 && e.target.tagName === "CANVAS";
      if (!mine || e.button || here < -.05 || here > 1.05) return;
      const all = brushes().filter(([i]) => i === k).map(([, ...range]) => range), old = all.find(([low, high]) => here > low && here < high && axes[k].column.numbers);
      drag = {k, from: here, old, kept: old ? all.filter(range => range !== old) : e.shiftKey ? all : [], moved: false};
      stage.setPointerCapture(e.pointerId);
      e.preventDefault();
    });
    const ranges = here => {
      const {from, old, kept} = drag, clamp = v => min(1, max(0, v));
      if (!drag.moved) return kept;
      if (!old) return [...kept, [clamp(min(from, here)), clamp(max(from, here))]];
      const [low, high] = old, by = min(1 - high, max(-low, here - from));
      return [...kept, [low + by, high + by]];
    };
    on(stage, "pointermove", e => {
      const [px, here] = at(e), over = axes.some((_, i) => abs(x(i) - px) <= 16);
      if (!drag) { stage.classList.toggle("grip", over); return; }
      drag.moved = drag.moved || abs(here - drag.from) > .012;
      if (drag.moved) brushed(axes[drag.k], ranges(here), false);
    });
    const end = e => {
      if (!drag) return;
      brushed(axes[drag.k], ranges(at(e)[1]), true);
      drag = null;
    };
    on(stage, "pointerup pointercancel", end);
  };

  // axes: [{column, log, flip}]; rows: what may be drawn; lit(row): whether it passes the filter;
  // brushed(axis, [[low, high] in 0…1, …], done); change([{column, log, flip}]): axes were rearranged
  charts.parallel = async (box, {axes: specs, rows, lit, tint, label, brushed, change, open}) => {
    const width = max(box.clientWidth, 90 * specs.length), height = box.clientHeight - 4, top = 44, bottom = height - 40;
    const axes = specs.map(charts.axis), left = 28, gap = (width - 2 * left) / max(1, axes.length - 1);
    const x = k => left + k * gap, y = t => bottom - t * (bottom - top), n = axes.length;
    const drawn = rows.length > LINES ? rows.filter(lit).slice(0, LINES) : rows;
    const spots = row => axes.map(a => y(a.place(row)));
    const path = spots => {
      let text = "", pen = false;
      for (let k = 0; k < n; k++) {
        if (spots[k] === spots[k]) text += `${pen ? "L" : "M"}${x(k).toFixed(1)},${spots[k].toFixed(1)}`;
        pen = spots[k] === spots[k];
      }
      return text || "M0,0";
    };
    const places = new Float32Array(drawn.length * n);
    const lines = drawn.map((row, i) => {
      const mine = spots(row);
      places.set(mine, i * n);
      return {row, path: path(mine), colour: tint.of(row), on: lit(row)};
    });
    // Lines fade as more of them are lit, in few steps, for a new value draws every line anew.
    const look = () => {
      const count = lines.reduce((sum, line) => sum + line.on, 0), step = 2 ** Math.ceil(Math.log2(count || 1));
      return {lineOpacity: max(.3, min(.9, 12 / Math.sqrt(step))), lineWidth: count > 300 ? 1 : 1.75};
    };
    let style = look(), brushes = [];
    const near = (px, py) => {
      const k = min(n - 2, max(0, Math.floor((px - left) / gap))), share = (px - left - k * gap) / gap;
      let best = null, least = 9;
      if (n > 1 && py > top - 6) lines.forEach((line, i) => {
        const a = places[i * n + k], b = places[i * n + k + 1];
        const far = abs(a + (b - a) * share - py) / Math.hypot(1, (b - a) / gap);
        if (line.on && far < least) { least = far; best = line.row; }
      });
      return best === null ? null : {row: best, name: label(best), text: specs.slice(0, 12).map(s => charts.said(s.column, best)).join("\n")};
    };
    const ends = k => k === 0 ? "left" : k === n - 1 ? "right" : "center";
    const chart = await charts.show(box, "parallel", {
      sets: {lines, legend: tint.legend(4),
        axes: axes.map((a, k) => ({x: k === 0 ? 4 : k === n - 1 ? width - 4 : x(k), at: x(k), title: a.column.label, align: ends(k), limit: gap - 10})),
        ticks: axes.flatMap((a, k) => a.ticks.map(([t, text]) => ({x: x(k), y: y(t), label: text, align: k === n - 1 ? "right" : "left", dx: k === n - 1 ? -6 : 6})))},
      signals: {width, height, top: top - 6, bottom: bottom + 6, ...style},
      near, open,
      follow: row => chart.data({hot: row === null ? [] : [{path: path(spots(row)), colour: tint.of(row)}]}),
    });
    if (!chart) return null;
    const stage = box.firstChild;
    brush(stage, {axes, x, t: py => (bottom - py) / (bottom - top), brushes: () => brushes, brushed});
    heads(box, stage, {axes, specs, x, width, gap, change});
    // found: [[number of the axis, low, high], …]
    const update = async (test, found) => {
      brushes = found;
      await chart.modify("lines", "on", line => test(line.row), {brushes: found.map(([k, low, high]) => ({x: x(k), y0: y(high), y1: y(low)}))});
      const now = look();
      if (now.lineOpacity !== style.lineOpacity || now.lineWidth !== style.lineWidth) chart.signals(style = now);
    };
    return {axes, cut: rows.length - drawn.length, update};
  };
})();
