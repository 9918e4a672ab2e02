// What all charts share: colours, axes, drawing, the run under the pointer, pictures to keep.
"use strict";
gitml.charts = (() => {
  const {min, round} = Math, {el, number} = gitml, html = document.documentElement;
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b"];

  const viridis = t => {
    if (!(t >= 0)) return "#999";
    const at = (.17 + .68 * min(t, 1)) * (VIRIDIS.length - 1), k = min(Math.floor(at), VIRIDIS.length - 2);
    return `rgb(${VIRIDIS[k].map((c, i) => round(c + (VIRIDIS[k + 1][i] - c) * (at - k)))})`;
  };

  // A run keeps its colour between views, for it comes from its id. Among runs shown together the
  // later of two with one colour takes the next that is free.
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

  // ---- values as text
  const worded = (column, v) => {
    if (v === null || v === undefined) return "–";
    if (typeof v !== "number") return String(v).slice(0, 60);
    if (column.kind !== "attributes") return number(v);
    return column.name === "start_time" ? gitml.moment(v) : column.name === "duration" ? gitml.duration(round(v)) : number(v);
  };
  const said = (column, row) => `${column.label}: ${worded(column, column.values[row])}`;

  // ---- axes: values to 0 (left or bottom) … 1, and back
  const extent = numbers => {
    let low = Infinity, high = -Infinity;
    for (const v of numbers) if (Number.isFinite(v)) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
  };
  const time = column => column.kind === "attributes" && column.name === "start_time";
  const able = column => Boolean(column.numbers) && !time(column) && extent(column.numbers)[0] > 0;  // to be a log axis
  // log: true, false, or undefined for what suits the values
  const axis = ({column, log, flip}) => {
    const turn = t => flip ? 1 - t : t;
    if (!column.numbers) {
      const names = [...new Set(column.values.filter(v => v !== null))].sort(), spot = new Map(names.map((v, k) => [v, turn((k + .5) / names.length)]));
      return {column, flip, names, spot, place: row => spot.get(column.values[row]) ?? NaN, ticks: names.slice(0, 40).map(v => [spot.get(v), v])};
    }
    const [low, high] = extent(column.numbers);
    log = able(column) && (log ?? high / low >= 99);
    const f = log ? Math.log10 : v => v, a = f(low), span = f(high) - a;
    const share = v => turn((f(v) - a) / span), value = t => log ? 10 ** (a + turn(t) * span) : a + turn(t) * span;
    const few = column.distinct < 7 ? [...new Set(column.numbers)].filter(Number.isFinite) : null;
    return {column, flip, low, high, log, value, share, place: row => Number.isFinite(column.numbers[row]) ? share(column.numbers[row]) : NaN,
      at: v => share(min(Math.max(v, low), high)),
      ticks: few ? few.map(v => [share(v), worded(column, v)]) : [0, .25, .5, .75, 1].map(t => [t, worded(column, +value(t).toPrecision(time(column) ? 15 : 3))])};
  };

  // Entries for the data set `legend`: a patch of colour and a word for each [colour, word].
  const legend = (pairs, x = 0) => pairs.flatMap(([colour, word]) => {
    const at = x, label = word.trim().slice(0, 24) || "“”";
    x += 26 + min(150, 6.3 * label.length);
    return [{x: at, width: 10, colour, label: ""}, {x: at + 14, width: 0, colour: "#0000", label}];
  });

  // What colours say: of(row), and entries for the data set `legend` from x on.
  const tint = column => {
    const a = axis({column}), few = a.names && a.names.length <= OKABE.length;
    const index = few && new Map(a.names.map((v, k) => [v, OKABE[k]]));
    const of = few ? row => index.get(column.values[row]) || "#999" : row => { const t = a.place(row); return viridis(round(t * 31) / 31); };
    const told = x => {
      const entries = [], word = (label, gap) => { entries.push({x, width: 0, colour: "#0000", label}); x += min(150, 6.3 * label.length) + gap; };
      word(column.label, 8);
      if (few) entries.push(...legend([...index].map(([v, colour]) => [colour, v]), x));
      else {
        word(a.names ? a.names[0] : worded(column, a.low), 4);
        for (let k = 0; k < 30; k++, x += 3) entries.push({x, width: 3.5, colour: viridis(k / 29), label: ""});
        x += 4;
        word(a.names ? a.names.at(-1) : worded(column, a.high), 0);
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
    stage.addEventListener("pointermove", e => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const found = e.buttons ? null : find(e);
        stage.style.cursor = found && found.row !== null && open ? "pointer" : "";
        hover(found ? found.row : null);
        tell(e, found);
      });
    });
    stage.addEventListener("pointerleave", e => { cancelAnimationFrame(frame); hover(null); tell(e, null); });
    if (open) stage.addEventListener("click", e => { const found = find(e); if (found && found.row !== null) open(found.row); });
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

  // ---- pictures of what is shown
  const keep = async (box, kind) => {
    const name = (box.getAttribute("aria-label") || gitml.at(box.getAttribute("aria-labelledby")).textContent).replace(/[^\p{L}\p{N}._-]+/gu, "-");
    await box.chart.signals({titles: true});
    const picture = kind === "svg" ? new Blob([await box.chart.svg()], {type: "image/svg+xml"})
      : await box.chart.canvas(2).then(canvas => new Promise(go => canvas.toBlob(go)));
    await box.chart.signals({titles: false});
    const address = URL.createObjectURL(picture);
    el("a", {href: address, download: `${name}.${kind}`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  };
  const offer = box => {
    const menu = el("details", {class: "menu right save"}, el("summary", {"aria-label": "Save this chart as a picture"}, "Save"));
    menu.append(el("div", {class: "sheet"}, ...["svg", "png"].map(kind => gitml.button(kind.toUpperCase(), () => { menu.open = false; keep(box, kind); }))));
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
    const stage = el("div", {class: "stage"}), chart = await gitmlChart(stage, spec, {values: sets, signals: {...theme(), ...signals}});
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

  // Says why there is no chart.
  const none = (box, why) => {
    box.turn = (box.turn || 0) + 1;
    if (box.chart) box.chart.close();
    box.chart = null;
    box.previousElementSibling.querySelector(".save")?.remove();
    box.classList.add("note");
    box.replaceChildren(el("p", {class: "quiet"}, why));
    return null;
  };

  // One side of a plane: {places, signals, scale} for `axis` over so many pixels.
  const INSET = 16;
  const side = (word, a, size) => {
    const inner = size - 2 * INSET, px = t => word === "x" ? INSET + t * inner : size - INSET - t * inner;
    const type = !a.column.numbers ? "band" : time(a.column) ? "utc" : a.log ? "log" : "linear";
    return {px, scale: {type}, signals: {inset: INSET, [`${word}domain`]: a.column.numbers ? [a.low, a.high] : a.names, [`${word}title`]: a.column.label}};
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
  addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    before = html.dataset.theme;
    html.dataset.theme = "light";
    signals({...theme(), titles: true});
  });
  addEventListener("afterprint", () => {
    if (!printing) return;
    printing = false;
    before ? html.dataset.theme = before : delete html.dataset.theme;
    signals({...theme(), titles: false});
  });

  return {PADDING, INSET, OKABE, viridis, colour, legend, tint, worded, said, extent, able, axis, side, nearest, show, none, seen, hover, tell, watch: then => followers.add(then)};
})();
