// The Columns menu: which are shown, in which order, pinned or not, and which figure of a metric.
"use strict";
gitml["columns-menu"] = menu => gitml.experiment.then(page => {
  delete menu.dataset.feature;  // once is enough
  const {el, bdi, on} = gitml, box = menu.querySelector(".sheet"), order = el("ol", "order"), chosen = () => page.view.columns;
  const show = next => page.write({cols: next.map(page.name).join(","), pin: next.filter((c, k) => k && page.view.pins.has(c)).map(page.name).join(",")});
  const button = (text, label, press, off) => gitml.button(text, press, {class: "plain", "aria-label": label, disabled: !!off});

  // A metric is one number per run although it was logged many times: the last, or an end, or the better end.
  const figures = (column, tick) => {
    const way = el("select", {"aria-label": `Which ${column.label} is best`}, el("option", {value: "min"}, "lowest"), el("option", {value: "max"}, "highest"));
    way.value = page.table.way(column);
    on(way, "change", () => {
      const better = new Map(page.table.better).set(column.name, way.value);
      page.write({better: [...better].map(([name, word]) => `metrics.${encodeURIComponent(name)}:${word}`).join(",")});
    });
    return el("div", "figures", tick(column, bdi(column.label)),
      el("span", "small", ...["min", "max", "best"].map(word => tick(page.table.find("metrics", column.name, word), el("span", "unseen", `${column.label} `), word)), way));
  };
  const {find, list: ticks, fill} = gitml.ticks({columns: () => page.table.all, chosen, change: show,
    line: (c, tick) => c.kind === "metrics" && page.start.ends.length ? figures(c, tick) : tick(c, bdi(c.label))});

  const list = () => {
    if (!menu.open) return;
    const active = order.contains(document.activeElement) && document.activeElement.ariaLabel, {columns, pins} = page.view;
    order.replaceChildren(...columns.slice(1).map((column, k) => el("li", {}, bdi(column.label),
      button("↑", `Move ${column.label} to the left`, () => gitml.headings.move(column, -1), !k || pins.has(column) !== pins.has(columns[k])),
      button("↓", `Move ${column.label} to the right`, () => gitml.headings.move(column, 1), k + 2 === columns.length || pins.has(column) !== pins.has(columns[k + 2])),
      button(pins.has(column) ? "unpin" : "pin", `${pins.has(column) ? "Unpin" : "Pin"} ${column.label}`, () => gitml.headings.pin(column)),
      button("×", `Hide ${column.label}`, () => show(chosen().filter(other => other !== column))))));
    if (active) [...order.querySelectorAll("button")].find(node => node.ariaLabel === active && !node.disabled)?.focus();
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
    Object.assign(box.firstElementChild, {hidden: false}),
    button("Reset columns", "Reset columns", () => { page.write({cols: "", pin: "", width: "", better: "", trends: ""}); open(); }));
  page.follow(list);
  gitml.load("headings").then(() => { on(menu, "toggle", () => menu.open && open()); open(); });
});
