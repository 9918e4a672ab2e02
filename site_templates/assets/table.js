// A table of any length: only the rows in sight are in the page, at one fixed height.
"use strict";
// cell(row, column) and group(item, column) give what a cell shows; sort(column, more) is told of a
// press on a heading, pick(rows, on) of ticks: rows are numbers, or a group's item.
gitml.table = (box, {sort, pick, cell, group}) => {
  const {el, on} = gitml, HEIGHT = 38, SPARE = 6, TICK = 42;
  const head = el("thead"), body = el("tbody"), above = el("tr", {"aria-hidden": "true"}), below = above.cloneNode();
  const table = el("table", "virtual", head, body);
  let view = {lines: [], columns: [], order: [], pinned: 0, widths: new Map(), picked: () => false, all: false, total: 0}, drawn = "";
  const numeric = column => column.numbers && column.name !== "start_time";
  const key = column => `${column.kind}.${column.name}${column.aspect ? `:${column.aspect}` : ""}`;
  const all = el("input", {type: "checkbox", "aria-label": "Choose all runs that are shown", onclick: () => pick(null, all.checked)});

  const line = (item, place) => {
    const members = item.rows, name = members ? `all of ${item.title}` : cell(item, view.columns[0]).textContent;
    const tick = el("input", {type: "checkbox", checked: view.picked(item), "aria-label": `Choose ${name}`, onclick: event => pick(item, tick.checked, event.shiftKey ? place : null)});
    const tr = el("tr", {"aria-rowindex": String(place + 2), "data-row": members ? null : String(item), class: members ? "group" : ""}, el("td", "tick", tick), ...view.columns.map((column, k) => {
      const content = members ? group(item, column, k) : cell(item, column), node = el(k ? "td" : "th", k ? {} : {scope: "row"}, content);
      node.className = `${numeric(column) ? "n" : ""}${k < view.pinned ? " pin" : ""}`;
      if (content.textContent.length > 24) node.title = content.textContent;
      return node;
    }));
    tr.item = item;
    return tr;
  };

  // A column somebody made narrower or wider keeps that width. Others only grow, or they would jump while
  // the table is scrolled. Pinned ones stay where the widths before them end.
  const fit = () => {
    const heads = [...head.rows[0].cells].slice(1), fixed = view.columns.map(column => view.widths.get(column.id));
    const lines = [head.rows[0], ...body.rows].filter(tr => tr.cells.length > 1);
    fixed.forEach((width, k) => width && lines.forEach(tr => Object.assign(tr.cells[k + 1].style, {minWidth: `${width}px`, maxWidth: `${width}px`})));
    const seen = heads.map(th => th.offsetWidth);
    let left = TICK;
    view.columns.forEach((column, k) => {
      column.width = fixed[k] || Math.max(column.width || 0, seen[k]);
      if (!fixed[k]) heads[k].style.minWidth = `${column.width}px`;
      if (k < view.pinned) for (const tr of lines) tr.cells[k + 1].style.left = `${left}px`;
      left += column.width;
    });
  };

  const draw = force => {
    if (!head.rows.length) return;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(view.lines.length, first + Math.ceil(box.clientHeight / HEIGHT) + 2 * SPARE);
    if (!force && drawn === `${first} ${last}`) return;
    drawn = `${first} ${last}`;
    if (!view.lines.length) {
      body.replaceChildren(el("tr", {}, el("td", {class: "quiet", colSpan: view.columns.length + 1}, "No run passes the filter.")));
      return;
    }
    const active = body.contains(document.activeElement) && document.activeElement, tag = active && active.tagName;
    const focus = active && active.closest("tr").ariaRowIndex;
    above.style.height = `${first * HEIGHT}px`;
    below.style.height = `${(view.lines.length - last) * HEIGHT}px`;
    const lines = [];
    for (let place = first; place < last; place++) lines.push(line(view.lines[place], place));
    body.replaceChildren(above, ...lines, below);
    fit();
    if (focus) body.querySelector(`[aria-rowindex="${focus}"] ${tag}`)?.focus({preventScroll: true});
  };

  const heading = (column, k) => {
    const place = view.order.findIndex(by => by.column === column), by = view.order[place] || {}, many = view.order.length > 1;
    const word = place < 0 ? "none" : by.down ? "descending" : "ascending";
    const button = el("button", {type: "button", "aria-description": place > 0 ? `${word}, sort key ${place + 1}` : "", "data-order": place < 0 ? null : `${by.down ? "↓" : "↑"}${many ? place + 1 : ""}`}, column.label);
    const th = el("th", {scope: "col", "data-column": key(column), title: key(column), "aria-sort": place > 0 ? "none" : word,
      class: `${numeric(column) ? "n" : ""}${k < view.pinned ? " pin" : ""}`}, button);
    th.column = column;
    return th;
  };
  on(head, "click", event => {
    const th = event.target.closest("button") && event.target.closest("th");
    if (th) sort(th.column, event.shiftKey);
  });

  let frame = 0;
  on(box, "scroll", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => draw()); });
  new ResizeObserver(() => draw()).observe(box);
  box.classList.add("tall");
  box.replaceChildren(table);

  return {
    head,
    fit,
    // Sets the ticks anew, and nothing else.
    marks() {
      Object.assign(all, {checked: view.all === true, indeterminate: view.all === null});
      for (const tr of body.rows) if (tr.item !== undefined) tr.cells[0].firstChild.checked = view.picked(tr.item);
    },
    // lines: numbers of runs, and groups; columns: those to show, `pinned` of them at the left; order: [{column, down}, …];
    // widths: id of a column → px; picked(line), all: ticks; total: how many lines there are without a filter
    show(next) {
      const focused = head.contains(document.activeElement) && document.activeElement.closest("th").dataset.column;
      if (`${next.columns} ${[...next.widths]}` !== `${view.columns} ${[...view.widths]}`) next.columns.forEach(column => { column.width = 0; });
      view = next;
      box.style.height = `${(view.total + 1) * HEIGHT + 18}px`;  // a filter must not move what is below
      table.ariaRowCount = view.lines.length + 1;
      head.replaceChildren(el("tr", {"aria-rowindex": "1"}, el("th", {class: "tick", scope: "col"}, all), ...view.columns.map(heading)));
      if (focused) [...head.querySelectorAll("[data-column]")].find(th => th.dataset.column === focused)?.firstChild.focus();
      draw(true);
    },
  };
};
