// What all charts share: colours, axes, drawing, the run under the pointer, pictures to keep.
"use strict";
gitml.charts = (() => {
  const {min, round} = Math, {el, on} = gitml, html = document.documentElement;
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b"];

  const viridis = t => {
    if (!(t >= 0)) return "#999";
    const at = (.17 + .68 * min(t, 1)) * (VIRIDIS.length - 1), k = min(Math.floor(at), VIRIDIS.length - 2);
    return `rgb(${VIRIDIS[k].map((c, i) => round(c + (VIRIDIS[k + 1][i] - c) * (at - k)))})`;
  };

  // A run keeps its colour between views, for it comes from its id. Among runs shown together the
  // later of two with one colour takes the next that is free, and the eighth run a colour with dashes.
  const DASHES = [[], [7, 3], [2, 2], [10, 3, 2, 3]], MANY = OKABE.length, taken = new Map();
  const look = id => {
    if (!taken.has(id)) {
      const used = new Set(taken.values()), first = parseInt(id.slice(0, 7), 16);
      let n = 0, k;
      do k = (first + n) % MANY + MANY * Math.floor(n / MANY); while (used.has(k) && ++n);
      taken.set(id, k);
    }
    const k = taken.get(id);
    return {colour: OKABE[k % MANY], dash: DASHES[Math.floor(k / MANY) % 4]};
  };
  const colour = id => look(id).colour;
  // A run's line as it is drawn in curves.
  const swatch = id => {
    const {colour, dash} = look(id), node = el("i", {class: "swatch", "aria-hidden": "true"});
    let end = 0;
    node.style.background = `repeating-linear-gradient(90deg, ${(dash[0] ? dash : [1, 0]).map((length, k) => `${k % 2 ? "#0000" : colour} 0 ${end += length}px`)})`;
    return node;
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

  const said = (column, row) => `${column.label}: ${gitml.text(column, column.values[row]).slice(0, 60) || "–"}`;

  // ---- axes: values to 0 (left or bottom) … 1, and back. A lone moment has half a second on each side.
  const extent = (numbers, clock) => {
    let low = Infinity, high = -Infinity;
    for (const v of numbers) if (Number.isFinite(v)) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    const room = low < high ? 0 : clock ? 500 : (Math.abs(low) || 1) / 2;
    return [low - room, high + room];
  };
  // Round numbers from low to high, about five.
  const steps = (low, high) => {
    const raw = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find(m => m * unit >= raw * .999) * unit, first = Math.ceil(low / step);
    return Array.from({length: Math.floor(high / step) - first + 1}, (_, k) => +((first + k) * step).toPrecision(15));
  };
  const time = column => column.kind === "attributes" && column.name === "start_time";
  const able = column => !!column.numbers && !time(column) && extent(column.numbers)[0] > 0;  // to be a log axis
  // log: true, false, or undefined for what suits the values; rows: whose values it spans, of all without it;
  // odd: what is no number, below the numbers
  const axis = ({column, log, flip, rows, odd = column.odd || []}) => {
    const turn = t => flip ? 1 - t : t;
    if (!column.numbers) {
      const names = [...new Set(column.values.filter(v => v !== null))].sort(), spot = new Map(names.map((v, k) => [v, turn((k + .5) / names.length)]));
      return {column, flip, names, spot, place: row => spot.get(column.values[row]) ?? NaN, ticks: names.slice(0, 40).map(v => [spot.get(v), v])};
    }
    const [low, high] = extent(rows ? rows.map(row => column.numbers[row]) : column.numbers, time(column)), ends = extent(column.numbers);
    log = able(column) && (log ?? ends[1] / ends[0] >= 99);
    const f = log ? Math.log10 : v => v / 4, a = f(low), span = f(high) - a, base = odd.length && min(.3, .05 + odd.length * .07);  // a quarter, for a span beyond all numbers
    const share = v => turn(base + (1 - base) * (f(v) - a) / span), value = t => { const v = a + Math.max(0, (turn(t) - base) / (1 - base)) * span; return log ? 10 ** v : v * 4; };
    const spot = new Map(odd.map((v, k) => [v, turn((base - .04) * (k + .5) / odd.length)]));
    const few = column.distinct < 7 && [...new Set(column.numbers)].filter(v => v >= low && v <= high), some = few || (log || time(column) ? [0, .25, .5, .75, 1].map(t => value(turn(base + (1 - base) * t))) : steps(low, high));
    const say = time(column) ? v => gitml.moment(v, high - low) : column.kind === "attributes" ? v => gitml.text(column, v) : gitml.apart([...some, low, high], few ? 5 : 3);
    return {column, flip, low, high, log, value, share, say, base, spot, place: row => Number.isFinite(column.numbers[row]) ? share(column.numbers[row]) : spot.get(String(column.values[row])) ?? NaN,
      at: v => share(min(Math.max(v, low), high)),
      ticks: [...some.map(v => [share(v), say(v)]), ...[...spot].slice(0, 5).map(([v, t]) => [t, v])]};
  };

  // Entries for the data set `legend`: a patch of colour and a word for each [colour, word].
  const legend = (pairs, x = 0) => pairs.flatMap(([colour, word]) => {
    const at = x, label = word.trim().slice(0, 24) || "“”";
    x += 26 + min(150, 6.3 * label.length);
    return [{x: at, width: 10, colour, label: "", until: x}, {x: at + 14, width: 0, colour: "#0000", label}];
  });
  // The same in as many lines as it takes, and the room above a plane for them.
  const wrap = (box, entries, padding = PADDING) => {
    const wide = box.clientWidth - padding.left - padding.right;
    let line = 0, shift = 0;
    const all = entries.map(entry => {
      if (entry.until + shift > wide && entry.x + shift > entries[0].x) { line++; shift = entries[0].x - entry.x; }
      return {...entry, x: entry.x + shift, line};
    });
    return {legend: all.map(entry => ({...entry, line: line - entry.line})), padding: {...padding, top: PADDING.top + 16 * line}};
  };

  // What colours say: of(row), and entries for the data set `legend` from x on.
  const tint = (column, rows) => {
    const a = axis({column, rows, odd: []}), few = a.names && a.names.length <= OKABE.length;
    const index = few && new Map(a.names.map((v, k) => [v, OKABE[k]]));
    const of = few ? row => index.get(column.values[row]) || "#999" : row => { const t = a.place(row); return viridis(round(t * 31) / 31); };
    const told = x => {
      const entries = [], word = (label, gap) => { entries.push({x, width: 0, colour: "#0000", label}); x += min(150, 6.3 * label.length) + gap; };
      word(column.label, 8);
      if (few) entries.push(...legend([...index].map(([v, colour]) => [colour, v]), x));
      else {
        word(a.names ? a.names[0] : a.say(a.low), 4);
        for (let k = 0; k < 30; k++, x += 3) entries.push({x, width: 3.5, colour: viridis(k / 29), label: ""});
        x += 4;
        word(a.names ? a.names.at(-1) : a.say(a.high), 0);
      }
      return entries;
    };
    return {of, legend: told};
  };

  // ---- one run lights up everywhere: hover(row) tells all who follow; null for none
  const followers = new Set();
  let hot = null;
  const hover = row => {
    if (row === hot) return;
    hot = row;
    for (const then of followers) then(row);
  };

  const tip = document.body.appendChild(el("div", {class: "tip", hidden: true}));
  const tell = (event, found) => {
    tip.hidden = !found;
    if (!found) return;
    tip.replaceChildren(el("b", {}, found.name), ...found.text.split("\n").map(text => el("div", {}, text)));
    tip.style.left = `${min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 14 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 8 : event.clientY + 14}px`;
  };
  addEventListener("keydown", e => { if (e.key === "Escape") tell(e, null); });

  // near(x, y): {row, name, text} under that pixel, or null; open(row) on a click there
  const point = (stage, {left, top}, near, open) => {
    let frame = 0;
    const find = e => { const at = stage.getBoundingClientRect(); return e.target.tagName === "CANVAS" ? near(e.clientX - at.left - left, e.clientY - at.top - top) : null; };
    on(stage, "pointermove", e => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const found = e.buttons ? null : find(e);
        stage.style.cursor = found && found.row !== null && open ? "pointer" : "";
        hover(found ? found.row : null);
        tell(e, found);
      });
    });
    on(stage, "pointerleave", e => { cancelAnimationFrame(frame); hover(null); tell(e, null); });
    if (open) on(stage, "click", e => { const found = find(e); if (found && found.row !== null) open(found.row); });
  };

  // The nearest of many points: items with x, y in pixels, at most 14 of them away.
  const nearest = items => (x, y) => {
    let best = null, least = 14 ** 2;
    for (const item of items) {
      const far = (item.x - x) ** 2 + (item.y - y) ** 2;
      if (far < least) { least = far; best = item; }
    }
    return best;
  };

  const title = box => box.ariaLabel || gitml.at(box.getAttribute("aria-labelledby")).textContent;

  // ---- pictures of what is shown
  const keep = async (box, kind) => {
    const name = title(box).replace(/[^\p{L}\p{N}._-]+/gu, "-");
    const {legend, padding} = wrap(box, box.key || []), framed = box.key && (room => box.chart.room(room));
    if (framed) { await box.chart.data({legend}); await framed(padding); }
    await box.chart.signals({titles: true});
    const picture = kind === "svg" ? new Blob([await box.chart.svg()], {type: "image/svg+xml"})
      : await box.chart.canvas(2).then(canvas => new Promise(go => canvas.toBlob(go)));
    await box.chart.signals({titles: false});
    if (framed) { await box.chart.data({legend: []}); await framed({...padding, top: 12}); }
    const address = URL.createObjectURL(picture);
    el("a", {href: address, download: `${name}.${kind}`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  };
  const offer = box => {
    const menu = el("details", "menu right save", el("summary", {"aria-label": "Save this chart as a picture"}, "Save"));
    menu.append(el("div", "sheet", ...["svg", "png"].map(kind => gitml.button(kind.toUpperCase(), () => { menu.open = false; keep(box, kind); }))));
    box.previousElementSibling.append(menu);
  };

  // ---- drawing; a newer one into the same box replaces an older one that is under way
  const live = new Set(), signals = some => Promise.all([...live].map(chart => chart.signals(some)));
  addEventListener("gitml:theme", () => signals(theme()));
  const PADDING = {left: 64, right: 20, top: 30, bottom: 46};
  // sets: the data; padding: more or less room beside a plane; near, open: as of point(); follow(row): shows the hovered run
  const show = async (box, name, {sets, signals, padding, scales = {}, near, open, follow}) => {
    const turn = box.turn = (box.turn || 0) + 1;
    let spec;
    try {
      await gitml.load("vega", "specs");
      spec = structuredClone((await gitml.get("specs"))[name]);
    } catch (error) { gitml.failed(box, error); return null; }
    if (turn !== box.turn) return null;
    if (padding) spec.padding = padding;
    for (const scale of spec.scales || []) Object.assign(scale, scales[scale.name]);
    for (const scale of spec.scales || []) if (scale.type !== "linear") { delete scale.zero; if (scale.type === "band") delete scale.nice; }
    const stage = el("div", "stage"), chart = await gitmlChart(stage, spec, {values: sets, signals: {...theme(), ...signals}, name: [title(box), signals.ytitle, signals.xtitle].filter(Boolean).join(", ")});
    if (turn !== box.turn) { chart.close(); return null; }
    if (box.chart) box.chart.close();
    if (!box.previousElementSibling.querySelector(".save")) offer(box);
    const close = chart.close;
    live.add(chart);
    if (follow) followers.add(follow);
    chart.close = () => { live.delete(chart); followers.delete(follow); close(); };
    if (near) point(stage, spec.padding || {left: 0, top: 0}, near, open);
    box.replaceChildren(stage);
    box.chart = chart;
    return chart;
  };

  // Says what a chart needs that is not there.
  const none = box => {
    box.turn = (box.turn || 0) + 1;
    if (box.chart) box.chart.close();
    box.chart = null;
    box.previousElementSibling.querySelector(".save")?.remove();
    box.classList.add("note");
    box.replaceChildren(el("p", "quiet", box.dataset.needs));
    return null;
  };

  // One side of a plane: {places, signals, scale} for `axis` over so many pixels.
  const INSET = 16;
  const side = (word, a, size) => {
    const inner = size - 2 * INSET, px = t => word === "x" ? INSET + t * inner : size - INSET - t * inner;
    const type = !a.column.numbers ? "band" : time(a.column) ? "utc" : a.log ? "log" : "linear";
    return {px, scale: {type}, signals: {inset: INSET, [`${word}base`]: a.base || 0, [`${word}time`]: type === "utc", [`${word}domain`]: a.column.numbers ? [a.low, a.high] : a.names, [`${word}title`]: a.column.label},
      labels: a.base ? [...a.spot].slice(0, 5).map(([text, t]) => word === "x" ? {x: px(t), y: null, text, align: "center"} : {x: -8, y: px(t), text, align: "right"}) : []};
  };

  // ---- when: first in sight or once there is nothing else to do, so that paper and pictures of the
  // whole page show every chart; and again when a box gets another width
  const waiting = [];
  const next = () => (window.requestIdleCallback || setTimeout)(async () => { await waiting[0]?.(); if (waiting.length) next(); });
  const seen = (box, then) => {
    let width = 0;
    const start = () => {
      const mine = waiting.indexOf(start);
      if (mine < 0) return null;
      waiting.splice(mine, 1);
      watch.disconnect();
      width = box.clientWidth;
      new ResizeObserver(() => { if (box.clientWidth && Math.abs(box.clientWidth - width) > 4 && !printing) { width = box.clientWidth; then(); } }).observe(box);
      return width && then();
    };
    const watch = new IntersectionObserver(entries => { if (entries.some(e => e.isIntersecting)) start(); }, {rootMargin: "200px"});
    watch.observe(box);
    if (waiting.push(start) === 1) next();
  };

  // Paper is white, and has no axis menus.
  let printing = false, before;
  on(window, "beforeprint afterprint", ({type}) => {
    const titles = type === "beforeprint";
    if (printing === titles) return;
    printing = titles;
    const {theme: now} = html.dataset;
    titles || before ? html.dataset.theme = titles ? "light" : before : delete html.dataset.theme;
    before = now;
    signals({...theme(), titles});
  });

  return {PADDING, INSET, OKABE, viridis, look, swatch, colour, legend, wrap, tint, said, extent, able, axis, side, nearest, show, none, seen, hover, tell, watch: then => followers.add(then)};
})();
