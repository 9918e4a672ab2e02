// The Columns menu: which are shown, in which order, pinned or not, and which figure of a metric.
"use strict";
gitml.columnsMenu = page => {
  const {el} = gitml, menu = gitml.at("columns"), box = menu.querySelector(".sheet"), order = el("ol", {class: "order"}), chosen = () => page.view.columns;
  const show = next => page.write({cols: next.map(page.name).join(","), pin: next.filter((c, k) => k && page.view.pins.has(c)).map(page.name).join(",")});
  const button = (text, label, press, off) => gitml.button(text, press, {class: "plain", "aria-label": label, disabled: Boolean(off)});

  // A metric is one number per run although it was logged many times: the last, or an end, or the better end.
  const figures = (column, tick) => {
    const way = el("select", {"aria-label": `Which ${column.label} is best`}, el("option", {value: "min"}, "lowest"), el("option", {value: "max"}, "highest"));
    way.value = page.table.way(column);
    way.addEventListener("change", () => {
      const better = new Map(page.table.better).set(column.name, way.value);
      page.write({better: [...better].map(([name, word]) => `metrics.${encodeURIComponent(name)}:${word}`).join(",")});
    });
    return el("div", {class: "figures"}, tick(column, el("bdi", {}, column.label)),
      el("span", {class: "small"}, ...["min", "max", "best"].map(word => tick(page.table.find("metrics", column.name, word), el("span", {class: "unseen"}, `${column.label} `), word)), way));
  };
  const {find, list: ticks, fill} = gitml.ticks({columns: () => page.table.all, chosen, change: show,
    line: (c, tick) => c.kind === "metrics" && page.start.ends.length ? figures(c, tick) : tick(c, el("bdi", {}, c.label))});

  const list = () => {
    if (!menu.open) return;
    const active = order.contains(document.activeElement) && document.activeElement.getAttribute("aria-label"), {columns, pins} = page.view;
    order.replaceChildren(...columns.slice(1).map((column, k) => el("li", {}, el("bdi", {}, column.label),
      button("↑", `Move ${column.label} to the left`, () => gitml.headings.move(column, -1), !k || pins.has(column) !== pins.has(columns[k])),
      button("↓", `Move ${column.label} to the right`, () => gitml.headings.move(column, 1), k + 2 === columns.length || pins.has(column) !== pins.has(columns[k + 2])),
      button(pins.has(column) ? "unpin" : "pin", `${pins.has(column) ? "Unpin" : "Pin"} ${column.label}`, () => gitml.headings.pin(column)),
      button("×", `Hide ${column.label}`, () => show(chosen().filter(other => other !== column))))));
    if (active) [...order.querySelectorAll("button")].find(node => node.getAttribute("aria-label") === active && !node.disabled)?.focus();
  };
  const sparks = el("input", {type: "checkbox", onchange: () => page.write({trends: sparks.checked ? "" : "off"})});

  const open = () => {
    sparks.checked = page.view.trends;
    fill();
    list();
  };
  box.classList.add("wide");
  box.replaceChildren(find, ...(page.start.trends ? [el("label", {}, sparks, "sparklines of the newest runs")] : []), ticks,
    el("details", {}, el("summary", {}, "Order and pinning"), order),
    el("p", {class: "quiet small"}, "In the table’s head: drag a heading to move it and its right edge to resize. By key: Shift and ← → move, + − resize, 0 fits, P pins, Enter sorts, Shift and Enter sorts further."),
    button("Reset columns", "Reset columns", () => { page.write({cols: "", pin: "", width: "", better: "", trends: ""}); open(); }));
  page.follow(list);
  gitml.load("headings").then(() => { menu.addEventListener("toggle", () => menu.open && open()); open(); });
};
