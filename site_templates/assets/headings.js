// The headings of the runs table by pointer and by key: order, width and pinning of columns.
"use strict";
gitml.headings = page => {
  const {address, on} = gitml, {head} = page.grid, FAR = 6, box = head.closest(".scroll");
  const width = (column, px) => {
    px ? page.view.widths.set(column.id, Math.round(Math.min(Math.max(px, 48), 900))) : page.view.widths.delete(column.id);
  };
  const keep = () => {
    const words = page.view.columns.filter(c => page.view.widths.has(c.id)).map(c => `${page.name(c)}*${page.view.widths.get(c.id)}`);
    page.write({width: words.join(",")});
  };

  // Puts a column before the one at `index`; among the pinned ones it is pinned. The runs' names stay first.
  const place = (column, index, pinned) => {
    const shown = page.view.columns.filter(c => c !== column), pins = new Set(page.view.pins);
    pins.delete(column);
    if (pinned) pins.add(column);
    shown.splice(index, 0, column);
    page.write({pin: shown.filter((c, k) => k && pins.has(c)).map(page.name).join(","), cols: shown.map(page.name).join(",")});
  };
  const move = (column, by) => {
    const {columns, pins} = page.view, from = columns.indexOf(column), to = from + by;
    if (from > 0 && to > 0 && to < columns.length && pins.has(columns[to]) === pins.has(column)) place(column, to, pins.has(column));
  };
  const pin = column => {
    const {columns, pins} = page.view, from = columns.indexOf(column);
    if (from > 0) place(column, pins.size - pins.has(column), !pins.has(column));
  };
  gitml.headings.move = move;
  gitml.headings.pin = pin;

  on(head, "keydown", event => {
    const column = event.target.closest("th")?.column, now = column?.width;
    if (!column || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = px => { width(column, now + px); keep(); };
    const keys = {"+": () => step(16), "-": () => step(-16), "0": () => { width(column); keep(); }, p: () => pin(column)};
    if (event.shiftKey) Object.assign(keys, {ArrowLeft: () => move(column, -1), ArrowRight: () => move(column, 1), Enter: () => page.sort(column, true)});
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // ---- by pointer: the right edge of a heading changes its width, the rest of it moves the column
  const mark = (th, after) => {
    head.querySelectorAll(".into").forEach(other => other.classList.remove("into", "after"));
    if (th) th.classList.add("into", ...(after ? ["after"] : []));
  };
  on(head, "pointerdown", event => {
    const th = event.target.closest("th"), column = th?.column;
    if (!column || event.button || event.pointerType === "touch" && event.target !== th) return;
    const edge = event.target === th && event.clientX > th.getBoundingClientRect().right - 14, first = column.width;
    let goal = null, moving = edge;
    const follow = e => {
      const by = e.clientX - event.clientX;
      if (!moving && Math.abs(by) < FAR) return;
      if (!moving || !head.hasPointerCapture(e.pointerId)) head.setPointerCapture(e.pointerId);
      moving = true;
      if (edge) { width(column, first + by); page.grid.fit(); return; }
      const frame = box.getBoundingClientRect();
      if (e.clientX > frame.right - 30) box.scrollLeft += 14;
      if (e.clientX < frame.left + 30) box.scrollLeft -= 14;
      const over = [...head.rows[0].cells].slice(2).find(cell => { const r = cell.getBoundingClientRect(); return e.clientX >= r.left && e.clientX < r.right; });
      const after = over && e.clientX > over.getBoundingClientRect().left + over.offsetWidth / 2;
      goal = over && {column: over.column, after};
      mark(over, after);
    };
    const drag = new AbortController(), end = e => {
      drag.abort();
      mark(null);
      if (!moving || e.type === "pointercancel") return;
      if (edge) { keep(); return; }
      const {columns, pins} = page.view;
      if (!goal || goal.column === column || column === columns[0]) return;
      place(column, columns.filter(c => c !== column).indexOf(goal.column) + goal.after, pins.has(goal.column));
    };
    on(head, "pointermove", follow, drag);
    on(head, "pointerup pointercancel", end, drag);
    if (edge) { event.preventDefault(); head.setPointerCapture(event.pointerId); }
  });
  on(head, "dblclick", event => {
    const th = event.target.closest("th");
    if (th?.column && th.column && event.target === th) { width(th.column); keep(); }
  });
};
