// Ticks for columns, by kind, with a field to find one by its name.
"use strict";
// columns(), chosen(): arrays of columns; change(columns) is told of each tick; line(column, tick) is what a column gets, of ticks
gitml.ticks = ({columns, chosen, change, line = (c, tick) => tick(c, gitml.bdi(c.label))}) => {
  const {el, on} = gitml, MOST = 60, find = el("input", {type: "search", "aria-label": "Find a column", placeholder: "find"}), list = el("div");
  const tick = (column, ...content) => {
    const node = el("input", {type: "checkbox", checked: chosen().includes(column),
      onchange: () => change(node.checked ? [...chosen(), column] : chosen().filter(other => other !== column))});
    return el("label", {}, node, ...content);
  };
  const fill = () => {
    const word = find.value.toLowerCase(), fit = columns().filter(c => c.label.toLowerCase().includes(word));
    list.replaceChildren(...["attributes", "metrics", "params", "tags"].flatMap(kind => {
      const mine = fit.filter(c => c.kind === kind), more = mine.length - MOST;
      return mine.length ? [el("fieldset", {}, el("legend", {}, kind), ...mine.slice(0, MOST).map(c => line(c, tick)),
        ...(more > 0 ? [el("p", "quiet small", `and ${more} more: type to find them`)] : []))] : [];
    }));
  };
  on(find, "input", fill);
  return {find, list, fill() { find.value = ""; fill(); }};
};
// A menu of them; opened anew it shows what is chosen then.
gitml.sheet = (menu, options) => {
  const {find, list, fill} = gitml.ticks(options);
  menu.querySelector(".sheet").replaceChildren(find, list);
  gitml.on(menu, "toggle", () => menu.open && fill());
  fill();
};
