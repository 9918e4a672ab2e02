// Charts on a plane: a point per run.
"use strict";
(() => {
  const {charts} = gitml, {axis, side, show, said, nearest, PADDING} = charts, DOTS = 10000;

  const size = box => [Math.max(120, box.clientWidth - PADDING.left - PADDING.right), box.clientHeight - PADDING.top - PADDING.bottom];
  const ring = (spot, colour) => ({path: `M${spot.x - 7},${spot.y}a7,7,0,1,0,14,0a7,7,0,1,0,-14,0`, colour});
  // Runs of one name would lie on one line: each is moved a little, the same way every time.
  const jitter = (a, row) => a.names ? ((row * 2654435761 % 1000) / 1000 - .5) * .6 / a.names.length : 0;

  // x, y: {column, log}
  charts.scatter = async (box, {x, y, rows, lit, tint, label, open}) => {
    const [width, height] = size(box), [ax, ay] = [axis(x), axis(y)], across = side("x", ax, width), up = side("y", ay, height);
    const dots = [], spots = new Map();
    for (const row of rows) {
      const spot = {row, x: across.px(ax.place(row) + jitter(ax, row)), y: up.px(ay.place(row) + jitter(ay, row + 1))};
      if (Number.isNaN(spot.x + spot.y)) continue;
      if (dots.push({...spot, size: 80, colour: tint.of(row), on: lit(row)}) === DOTS) break;
    }
    for (const dot of dots) spots.set(dot.row, dot);
    const near = (px, py) => {
      const found = nearest(dots)(px, py);
      return found && {row: found.row, name: label(found.row), text: [x, y].map(s => said(s.column, found.row)).join("\n")};
    };
    const chart = await show(box, "plane", {
      sets: {dots, legend: tint.legend(0)}, scales: {x: across.scale, y: up.scale},
      signals: {width, height, ...across.signals, ...up.signals}, near, open,
      follow: row => chart.data({hot: spots.has(row) ? [ring(spots.get(row), tint.of(row))] : []}),
    });
    return chart && {update: test => chart.modify("dots", "on", dot => test(dot.row))};
  };
})();
