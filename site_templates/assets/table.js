// A table of any length: only the rows in sight are in the page, at one fixed height.
"use strict";
gitml.table = (box, {sort, pick, cell}) => {
  const {el} = gitml, HEIGHT = 38, SPARE = 6;
  const head = el("thead"), body = el("tbody"), above = el("tr", {"aria-hidden": "true"}), below = above.cloneNode();
  const table = el("table", {class: "virtual"}, head, body);
  let view = {rows: [], columns: [], order: {}, picked: new Set(), total: 0}, drawn = "";

  const line = (row, place) => {
    const tick = el("input", {type: "checkbox", checked: view.picked.has(row), "aria-label": `Choose ${cell(row, view.columns[0]).textContent}`});
    tick.addEventListener("change", () => pick(row, tick.checked));
    return el("tr", {"aria-rowindex": String(place + 2), "data-row": String(row)}, el("td", {class: "tick"}, tick), ...view.columns.map((column, k) => {
      const content = cell(row, column), node = el(k ? "td" : "th", k ? {} : {scope: "row"}, content);
      if (column.numbers && column.name !== "start_time") node.className = "n";
      if (content.textContent.length > 24) node.title = content.textContent;
      return node;
    }));
  };

  const draw = force => {
    if (!head.rows.length) return;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(view.rows.length, first + Math.ceil(box.clientHeight / HEIGHT) + 2 * SPARE);
    if (!force && drawn === `${first} ${last}`) return;
    drawn = `${first} ${last}`;
    const focus = body.contains(document.activeElement) && document.activeElement.closest("tr").getAttribute("aria-rowindex");
    above.style.height = `${first * HEIGHT}px`;
    below.style.height = `${(view.rows.length - last) * HEIGHT}px`;
    const lines = [];
    for (let place = first; place < last; place++) lines.push(line(view.rows[place], place));
    body.replaceChildren(above, ...lines, below);
    // Columns only grow, or they would jump while the table is scrolled.
    view.columns.forEach((column, k) => {
      const th = head.rows[0].cells[k + 1];
      th.style.minWidth = `${column.width = Math.max(column.width, th.offsetWidth)}px`;
    });
    if (focus) body.querySelector(`[aria-rowindex="${focus}"] input`)?.focus({preventScroll: true});
  };

  const heading = column => {
    const mine = view.order.column === column, button = el("button", {type: "button"}, column.label);
    button.addEventListener("click", () => sort(column));
    return el("th", {scope: "col", "data-column": `${column.kind}.${column.name}`, title: `${column.kind}.${column.name}`,
      "aria-sort": mine ? (view.order.down ? "descending" : "ascending") : "none", class: column.numbers && column.name !== "start_time" ? "n" : ""}, button);
  };

  let frame = 0;
  box.addEventListener("scroll", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => draw()); });
  new ResizeObserver(() => draw()).observe(box);
  box.classList.add("tall");
  box.replaceChildren(table);

  return {
    show(next) {
      const focused = head.contains(document.activeElement) && document.activeElement.closest("th").dataset.column;
      if (String(next.columns) !== String(view.columns)) next.columns.forEach(column => { column.width = 0; });
      view = next;
      box.style.height = `${(view.total + 1) * HEIGHT + 18}px`;  // a filter must not move what is below
      table.setAttribute("aria-rowcount", view.rows.length + 1);
      head.replaceChildren(el("tr", {"aria-rowindex": "1"}, el("th", {class: "tick", scope: "col"}, el("span", {class: "unseen"}, "choose")), ...view.columns.map(heading)));
      if (focused) [...head.querySelectorAll("[data-column]")].find(th => th.dataset.column === focused)?.firstChild.focus();
      draw(true);
    },
  };
};
