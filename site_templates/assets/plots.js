// Charts on a plane of runs: scatter, contour, box plot, importance of parameters.
"use strict";
(() => {
  const {max, min} = Math;
  const {charts, text} = gitml, {axis, side, show, said, nearest, viridis, PADDING, OKABE} = charts, DOTS = 10000;

  const room = (box, padding = PADDING) => (box.classList.remove("note"), [max(120, box.clientWidth - padding.left - padding.right), box.clientHeight - padding.top - padding.bottom]);
  const ring = (spot, colour) => ({path: `M${spot.x - 7},${spot.y}a7,7,0,1,0,14,0a7,7,0,1,0,-14,0`, colour});
  // Runs of one name would lie on one line: each is moved a little, the same way every time, by -.5 … .5.
  const scatter = row => (row * 2654435761 % 1000) / 1000 - .5;
  const jitter = (a, row) => a.names ? scatter(row) * .6 / a.names.length : 0;

  // Points of one colour are one path of steps without length: ten thousand marks would be slow.
  const grouped = dots => {
    const groups = new Map([["", ""]]);  // those that do not pass the filter lie below
    for (const dot of dots) groups.set(dot.on ? dot.colour : "", (groups.get(dot.on ? dot.colour : "") || "") + `M${dot.x.toFixed(1)},${dot.y.toFixed(1)}h.01`);
    return [...groups].filter(([, path]) => path).map(([colour, path]) => ({path, colour: colour || "#9996", opacity: colour ? .9 : .5}));
  };

  // What charts of points have in common. dots: [{row, x, y, colour, on}]
  const plot = async (box, {dots, columns, across, up, sets, signals, padding, colour, label, open, instead = () => null}) => {
    const [width, height] = room(box, padding), spots = new Map(dots.map(dot => [dot.row, dot])), find = nearest(dots);
    const near = (x, y) => {
      const found = find(x, y);
      return found ? {row: found.row, name: label(found.row), text: columns.map(c => said(c, found.row)).join("\n")} : instead(x, y);
    };
    const chart = await show(box, "plane", {
      sets: {dots: grouped(dots), labels: [...across.labels || [], ...up.labels || []], ...sets}, scales: {x: across.scale, y: up.scale}, padding,
      signals: {width, height, ...across.signals, ...up.signals, ...signals}, near, open,
      follow: row => chart.data({hot: spots.has(row) ? [ring(spots.get(row), colour(row))] : []}),
    });
    return chart && {update: test => {
      for (const dot of dots) dot.on = test(dot.row);
      return chart.data({dots: grouped(dots)});
    }};
  };

  // x, y: {column, log}
  charts.scatter = async (box, {x, y, rows, lit, tint, label, open}) => {
    rows = rows.filter(row => x.column.values[row] !== null && y.column.values[row] !== null);  // others must not stretch the axes
    const fit = rows.length > DOTS ? rows.filter(lit).slice(0, DOTS) : rows;
    const {legend, padding} = charts.wrap(box, tint.legend(0));
    const [width, height] = room(box, padding), [ax, ay] = [axis({...x, rows: fit}), axis({...y, rows: fit})], across = side("x", ax, width), up = side("y", ay, height), dots = [];
    for (const row of fit) {
      const spot = {row, x: across.px(ax.place(row) + jitter(ax, row)), y: up.px(ay.place(row) + jitter(ay, row + 1))};
      if (!Number.isNaN(spot.x + spot.y)) dots.push({...spot, colour: tint.of(row), on: lit(row)});
    }
    const chart = await plot(box, {dots, columns: [x.column, y.column], across, up, padding, sets: {legend}, colour: tint.of, label, open});
    return chart && {...chart, cut: rows.length - fit.length};
  };

  // Between the runs the surface is their mean, weighted by the inverse fourth power of the
  // distance (Shepard, A two-dimensional interpolation function for irregularly-spaced data, 1968).
  charts.contour = (box, {x, y, z, rows, label, open}) => {
    const three = [x, y, z], fit = rows.filter(row => three.every(c => Number.isFinite(c.numbers[row]))), [ax, ay, az] = three.map(column => axis({column, rows: fit, odd: []}));
    const [width, height] = room(box), cell = 12, across = side("x", ax, width), up = side("y", ay, height), places = new Map(), dots = [], tint = charts.tint(z, fit);
    for (const row of fit) {
      const dot = {row, x: across.px(ax.place(row)), y: up.px(ay.place(row)), t: az.place(row)}, key = `${dot.x},${dot.y}`;
      if (dots.push({...dot, colour: tint.of(row), on: true}) === DOTS) break;
      const place = places.get(key) || {x: dot.x, y: dot.y, sum: 0, n: 0};
      places.set(key, {...place, sum: place.sum + dot.t, n: place.n + 1});
    }
    const known = [...places.values()].slice(0, 1500);
    if (known.length < 4) return charts.none(box);
    const wide = Math.ceil(width / cell), down = Math.ceil(height / cell), values = new Array(wide * down);
    for (let i = 0; i < values.length; i++) {
      const px = (i % wide + .5) * cell, py = (Math.floor(i / wide) + .5) * cell;
      let sum = 0, weight = 0;
      for (const {x, y, sum: total, n} of known) {
        const w = n / ((x - px) ** 2 + (y - py) ** 2 + 1) ** 2;
        sum += w * total / n;
        weight += w;
      }
      values[i] = sum / weight;
    }
    const levels = [0, .25, .5, .75, 1], lowest = min(...values);
    return plot(box, {dots, columns: [x, y, z], across, up, colour: tint.of, label, open,
      sets: {grid: [{width: wide, height: down, values}], legend: tint.legend(0),
        bars: [{x: 0, x2: width, y: 0, y2: height, colour: viridis(lowest), opacity: 1}]},
      signals: {cell, levels, shades: levels.map(viridis)}});
  };

  // Bands from top to bottom, one per name, with room for the names and for the [colour, word] of a legend.
  const bands = (box, names, step, pairs) => {
    const left = 24 + min(150, box.clientWidth * .3, max(...names.map(name => name.length)) * 6.6);
    const {legend, padding} = charts.wrap(box, charts.legend(pairs, 16 - left), {...PADDING, left});
    box.style.height = `${max(352, padding.top + PADDING.bottom + 2 * charts.INSET + names.length * step)}px`;
    const [width, height] = room(box, padding), inner = (height - 2 * charts.INSET) / names.length;
    const up = {scale: {type: "band"}, signals: {ydomain: names.map((name, k) => names.indexOf(name) < k ? `${name} (${k + 1})` : name).reverse(), ytitle: "", room: left - 16}};
    return {legend, padding, width, height, inner, up, middle: k => charts.INSET + (k + .5) * inner};
  };

  // Linear interpolation between the sorted values (Hyndman and Fan, type 7).
  const quantile = (sorted, p) => {
    const at = (sorted.length - 1) * p, k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  };

  // by, split (or null): columns of few values; of: {column, log}. Whiskers reach the last value
  // within 1.5 times the box (Tukey, Exploratory Data Analysis, 1977).
  charts.box = (box, {by, split, of, rows, label, open}) => {
    const values = of.column.numbers, rank = gitml.numeral;
    rows = rows.filter(row => Number.isFinite(values[row]));
    const order = column => [...new Set(rows.map(row => column.values[row]))].filter(v => v !== null).sort((a, b) => isNaN(rank(a)) - isNaN(rank(b)) || rank(a) - rank(b) || (a < b ? -1 : 1));
    const keys = order(by), halves = split ? order(split) : [null], names = keys.map(v => text(by, v)), parts = halves.map(v => v === null ? "" : text(split, v));
    const place = new Map(keys.map((v, k) => [v, k])), half = new Map(halves.map((v, k) => [v, k])), ax = axis({...of, rows, odd: []});
    if (!names.length) return charts.none(box);
    const colour = j => OKABE[j % OKABE.length], pairs = parts.length < 2 ? [] : parts.map((name, j) => [colour(j), name]);
    const {legend, padding, width, inner, up, middle: at} = bands(box, names, max(30, 16 * parts.length + 10), pairs), across = side("x", ax, width);
    const thick = min(44, inner * .8 / parts.length), groups = new Map(), dots = [], bars = [], rules = [], stats = [];
    for (const row of rows) {
      const k = place.get(by.values[row]), j = half.get(split ? split.values[row] : null);
      if (k === undefined || j === undefined) continue;
      const key = k * parts.length + j, group = groups.get(key) || {k, j, rows: []};
      group.rows.push(row);
      groups.set(key, group);
    }
    const px = v => across.px(ax.share(v)), part = new Map();
    for (const {k, j, rows: mine} of groups.values()) {
      const sorted = mine.map(row => values[row]).sort((a, b) => a - b), [q1, q2, q3] = [.25, .5, .75].map(p => quantile(sorted, p));
      const reach = 1.5 * (q3 - q1), low = sorted.find(v => v >= q1 - reach), high = sorted.findLast(v => v <= q3 + reach);
      const y = at(k) + (j - parts.length / 2) * thick, y2 = y + thick - 2, middle = (y + y2) / 2, line = {y: middle, y2: middle, colour: colour(j), width: 1.5};
      bars.push({x: px(q1), x2: px(q3), y, y2, colour: colour(j), opacity: .35});
      rules.push({...line, x: px(low), x2: px(q1)}, {...line, x: px(q3), x2: px(high)}, {...line, x: px(q2), x2: px(q2), y, y2, width: 3});
      stats.push({x: px(low), x2: px(high), y, y2, row: null, name: [names[k], parts[j]].filter(Boolean).join(", "),
        text: `${of.column.label}: median ${text(of.column, q2)}\nmiddle half ${text(of.column, q1)} to ${text(of.column, q3)}\n${mine.length} run${mine.length === 1 ? "" : "s"}`});
      for (const row of mine) {
        part.set(row, j);
        const out = values[row] < low || values[row] > high;
        if (rows.length <= 500 || (out && dots.length < DOTS)) dots.push({row, x: px(values[row]), y: middle + scatter(row) * thick * .6, colour: colour(j), on: true});
      }
    }
    return plot(box, {dots, columns: [by, ...(split ? [split] : []), of.column], across, up, padding, colour: row => colour(part.get(row)), label, open, sets: {bars, rules, legend}, signals: {dot: 5},
      instead: (x, y) => stats.find(s => x >= s.x - 4 && x <= s.x2 + 4 && y >= s.y && y <= s.y2) || null});
  };

  // ---- importance: how far a parameter alone orders a metric, 0 … 1
  const ranks = values => {
    const order = values.map((_, k) => k).sort((a, b) => values[a] - values[b]), found = new Float64Array(values.length);
    for (let i = 0, j; i < order.length; i = j) {
      for (j = i + 1; j < order.length && values[order[j]] === values[order[i]];) j++;
      for (let k = i; k < j; k++) found[order[k]] = (i + j - 1) / 2;  // ties share their mean
    }
    return found;
  };
  // Spearman's rank correlation (1904): Pearson's of the ranks.
  const spearman = (a, b) => {
    const mean = (a.length - 1) / 2;
    let ab = 0, aa = 0, bb = 0;
    for (let k = 0; k < a.length; k++) { const p = a[k] - mean, q = b[k] - mean; ab += p * q; aa += p * p; bb += q * q; }
    return aa && bb ? ab / Math.sqrt(aa * bb) : 0;
  };
  // The square root of eta squared from Kruskal and Wallis's H (1952): (H - k + 1) / (n - k), which
  // chance alone keeps at 0 (Tomczak and Tomczak, The need to report effect size estimates, 2014).
  const eta = (keys, ranked) => {
    const n = keys.length, groups = new Map(), mean = (n - 1) / 2;
    let all = 0, between = 0;
    keys.forEach((key, k) => {
      const group = groups.get(key) || {sum: 0, n: 0};
      groups.set(key, {sum: group.sum + ranked[k] - mean, n: group.n + 1});
      all += (ranked[k] - mean) ** 2;
    });
    for (const {sum, n} of groups.values()) between += sum * sum / n;
    const k = groups.size, h = all ? (n - 1) * between / all : 0;
    return n > k ? Math.sqrt(max(0, (h - k + 1) / (n - k))) : 0;
  };
  const MOST = 2000, LEAST = 8, FEW = 12, SHOWN = 15;

  // Gives {strength, rho or null, n} of one parameter, or null where it says nothing.
  const weigh = (column, goal, rows) => {
    const fit = rows.filter(row => Number.isFinite(goal.numbers[row]) && column.values[row] !== null), order = some => ranks(some.map(row => goal.numbers[row]));
    const keys = fit.map(row => column.values[row]), different = new Set(keys).size;
    if (fit.length < LEAST || different < 2) return null;
    const ranked = order(fit), told = different <= max(FEW, column.numbers ? 0 : fit.length / 3), groups = told ? eta(keys, ranked) : 0;
    if (!column.numbers) return told ? {column, strength: groups, rho: null, n: fit.length, odd: []} : null;
    // None among numbers is a group beside them, and takes no part in their order.
    const kinds = fit.map(row => Number.isFinite(column.numbers[row]) ? "" : column.values[row]), odd = [...new Set(kinds)].filter(Boolean), numeric = fit.filter((_, k) => !kinds[k]);
    const rho = numeric.length < LEAST ? 0 : spearman(ranks(numeric.map(row => column.numbers[row])), order(numeric)), apart = max(groups, odd.length ? eta(kinds, ranked) : 0), bent = apart > Math.abs(rho) + .05;
    return {column, strength: max(Math.abs(rho), apart), rho: bent ? null : rho, n: fit.length, odd};
  };

  charts.importance = (box, {goal, columns, rows}) => {
    const step = Math.ceil(rows.length / MOST), some = step > 1 ? rows.filter((_, k) => k % step === 0) : rows;
    const found = columns.map(column => weigh(column, goal, some)).filter(Boolean).sort((a, b) => b.strength - a.strength).slice(0, SHOWN);
    if (!found.length) return charts.none(box);
    const names = found.map(f => f.column.label.slice(0, 40)), pairs = [[OKABE[1], "rises with it"], [OKABE[0], "falls"], [OKABE[2], "neither"]];
    const {legend, padding, width, inner, up, middle} = bands(box, names, 26, pairs);
    const px = t => charts.INSET + t * (width - 44 - 2 * charts.INSET), thick = min(26, inner * .7), tone = f => f.rho === null ? OKABE[2] : f.rho > 0 ? OKABE[1] : OKABE[0];
    const bars = found.map((f, k) => ({x: px(0), x2: px(max(.005, f.strength)), y: middle(k) - thick / 2, y2: middle(k) + thick / 2, colour: tone(f), opacity: .85}));
    const labels = found.map((f, k) => ({x: px(f.strength) + 8, y: middle(k), text: f.strength.toFixed(2)}));
    return show(box, "plane", {
      sets: {bars, labels, legend}, scales: {y: up.scale}, padding,
      signals: {width: width - 44, height: room(box, padding)[1], inset: charts.INSET, ...up.signals, xdomain: [0, 1], xtitle: `how far it alone orders ${goal.label}`},
      near: (x, y) => {
        const f = found[Math.floor((y - charts.INSET) / inner)];
        return f && x > -padding.left ? {row: null, name: f.column.label, text: `${f.strength.toFixed(3)} of 1 over ${f.n} runs\n${f.rho === null ? "its values differ, in no one direction" : `Spearman’s ρ ${f.rho.toFixed(3)}`}${f.odd[0] ? `\nset apart: ${f.odd.slice(0, 5).join(", ")}` : ""}`} : null;
      },
    });
  };
})();
