// A menu of ticks, one for each column, by kind; opened anew it shows what is chosen then.
"use strict";
// columns(), chosen(): arrays of columns; change(columns) is told of each tick.
gitml.sheet = (menu, {columns, chosen, change}) => {
  const {el} = gitml;
  const open = () => {
    const find = el("input", {type: "search", "aria-label": "Find a column", placeholder: "find"}), ticks = el("div");
    const fill = () => {
      const fit = columns().filter(c => c.label.toLowerCase().includes(find.value.toLowerCase()));
      ticks.replaceChildren(...["attributes", "metrics", "params", "tags"].flatMap(group => {
        const mine = fit.filter(c => c.kind === group).slice(0, 100);
        return mine.length ? [el("fieldset", {}, el("legend", {}, group), ...mine.map(c => {
          const tick = el("input", {type: "checkbox", checked: chosen().includes(c)});
          tick.addEventListener("change", () => change(tick.checked ? [...chosen(), c] : chosen().filter(other => other !== c)));
          return el("label", {}, tick, el("bdi", {}, c.label));
        }))] : [];
      }));
    };
    find.addEventListener("input", fill);
    menu.querySelector(".sheet").replaceChildren(find, ticks);
    fill();
  };
  menu.addEventListener("toggle", () => menu.open && open());
  if (menu.open) open();
};
