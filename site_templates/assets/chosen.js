// Runs chosen to be compared: ticks in the table, and a bar below it that names them.
"use strict";
gitml.chosen = (() => {
  const {el, at, address, bdi, on} = gitml, MOST = 50, spots = new Map();
  let last = 0;
  const spot = ({attribute}, run) => {
    if (!spots.has(run)) {
      const row = attribute("run_id").values.indexOf(run);
      if (row < 0) return row;  // filtered away is still here; not loaded yet is not
      spots.set(run, row);
    }
    return spots.get(run);
  };

  // over: how many more were wanted than can be compared
  const show = (page, over = 0) => {
    const {rows, chosen} = page.view, runs = [...chosen], few = runs.length < 2, button = at("compare");
    page.view.all = !runs.length ? false : rows.length <= MOST && rows.every(row => chosen.has(page.id(row))) || null;
    page.grid.marks();
    at("chosen").hidden = !runs.length;
    at("chosen-runs").replaceChildren(...runs.map(run => {
      const row = spot(page, run), name = row < 0 ? run.slice(0, 8) : page.label(row);
      const drop = gitml.button("×", () => { chosen.delete(run); keep(page); at("clear").focus(); }, {class: "plain", "aria-label": `Drop ${name}`});
      return el("li", {}, row < 0 ? el("code", {}, name) : el("a", {href: page.home(row)}, bdi(name)), drop);
    }));
    at("chosen-count").textContent = over ? `At most ${MOST} runs can be compared; ${over} more are not chosen.`
      : few ? "1 run is chosen. Tick another one to compare them." : `${runs.length} runs are chosen.`;
    button.textContent = `Compare ${runs.length || ""}`;
    button.ariaDisabled = few;
    button.setAttribute("href", `${gitml.root}compare.html#${runs}`);
    if (few) button.removeAttribute("href");
  };
  const keep = (page, over) => { address.write({runs: [...page.view.chosen].join(",")}); show(page, over); };

  // item: a line of the table, or null for all runs that are shown; range: a place up to which from the last one
  const pick = (page, item, on, range) => {
    const {lines, rows, chosen} = page.view;
    let some = item === null ? rows : item.rows || [item], over = 0;
    if (range != null) some = lines.slice(Math.min(last, range), Math.max(last, range) + 1).filter(line => !line.rows);
    if (item !== null) last = lines.indexOf(item);
    for (const row of some) {
      const run = page.id(row);
      if (!on) chosen.delete(run);
      else if (chosen.size < MOST) chosen.add(run);
      else if (!chosen.has(run)) over++;
    }
    keep(page, over);
  };

  gitml.experiment.then(page => on(at("clear"), "click", () => { page.view.chosen.clear(); keep(page); at("grid").focus(); }));
  return {pick, show};
})();
