// Runs grouped by what their columns say: a line per group with mean and spread, its runs below when it is open.
"use strict";
gitml.groups = (() => {
  const {el, address, number, bdi} = gitml;
  const opened = () => new Set((address.read().get("open") || "").split(",").filter(Boolean));
  const said = (page, column, row) => page.brief(column, row) || (column.values[row] === null ? "none" : "“”");

  // Mean, standard deviation (n − 1) and ends of a numeric column over a group's runs that have a number there.
  const figures = (item, column) => {
    if (item.seen.has(column)) return item.seen.get(column);
    let n = 0, mean = 0, square = 0, low = Infinity, high = -Infinity;
    for (const row of item.rows) {
      const v = column.numbers[row];
      if (!Number.isFinite(v)) continue;
      const off = v - mean;
      mean += off / ++n;
      square += off * (v - mean);
      if (v < low) low = v;
      if (v > high) high = v;
    }
    const found = {n, mean: n ? mean : NaN, spread: n > 1 ? Math.sqrt(square / (n - 1)) : NaN, low, high};
    item.seen.set(column, found);
    return found;
  };

  // What a group is sorted by: its value where that is what groups, else the mean, else its first run's value.
  const sortable = (page, item, column) => {
    if (column.numbers && !page.view.group.includes(column)) return figures(item, column).mean;
    const {ranks, count} = page.table.rank(column), rank = ranks[item.rows[0]];
    return rank === count ? NaN : rank;
  };

  const lines = (page, rows) => {
    const {table, view} = page, ranks = view.group.map(column => table.rank(column)), open = opened(), found = new Map();
    for (const row of rows) {
      let spot = 0;
      for (const {ranks: places, count} of ranks) spot = spot * (count + 1) + places[row];
      const item = found.get(spot);
      item ? item.rows.push(row) : found.set(spot, {spot, rows: [row], seen: new Map()});
    }
    const all = [...found.values()], keys = view.order.length ? view.order : view.group.map(column => ({column}));
    for (const item of all) item.by = keys.map(({column}) => sortable(page, item, column));
    all.sort((a, b) => {
      for (let k = 0; k < keys.length; k++) {
        const p = a.by[k], q = b.by[k];
        if (p === q) continue;
        if (p !== p || q !== q) { if (p !== p && q !== q) continue; return (p !== p) - (q !== q); }
        return keys[k].down ? q - p : p - q;
      }
      return a.spot - b.spot;
    });
    view.groups = all.length;
    return all.flatMap(item => {
      const first = item.rows[0];
      item.title = view.group.map(column => `${column.label} ${said(page, column, first)}`).join(", ");
      item.key = view.group.map(column => column.values[first] === null ? "" : `=${encodeURIComponent(column.values[first])}`).join(";");
      item.open = open.has(item.key);
      return item.open ? [item, ...item.rows] : [item];
    });
  };

  const toggle = (page, item) => {
    const open = opened();
    item.open ? open.delete(item.key) : open.add(item.key);
    page.write({open: [...open].join(",")});
  };

  const cell = (page, item, column, place) => {
    const {table, view} = page;
    if (!place) {
      return el("button", {type: "button", class: "plain", "aria-expanded": String(item.open), onclick: () => toggle(page, item)},
        bdi(view.group.map(by => said(page, by, item.rows[0])).join(" · ")), el("span", "quiet small", ` ${item.rows.length} run${item.rows.length === 1 ? "" : "s"}`));
    }
    if (view.group.includes(column)) return bdi(said(page, column, item.rows[0]));
    if (column.numbers && column.name !== "start_time") {
      const {n, mean, spread, low, high} = figures(item, column), show = v => column.kind === "attributes" ? gitml.duration(Math.round(v)) : number(v);
      if (!n) return el("span");
      const about = `mean ± standard deviation of ${n} value${n === 1 ? "" : "s"}, ${show(low)} to ${show(high)}`;
      return el("span", {title: about}, show(low === high ? low : mean), ...(low < high ? [el("span", "quiet", ` ± ${column.kind === "attributes" ? show(spread) : +spread.toPrecision(2)}`)] : []));
    }
    const texts = new Set();
    for (const row of item.rows) if (column.values[row] !== null && texts.add(column.values[row]).size > 99) break;
    if (column.name === "start_time") return el("bdi", "quiet", `newest ${gitml.moment(column.values[Math.min(...item.rows.slice(0, 1e4))])}`);
    return texts.size === 1 ? bdi(page.brief(column, item.rows.find(row => column.values[row] !== null))) : el("span", "quiet", texts.size ? `${texts.size > 99 ? "100 or more" : texts.size} values` : "");
  };

  const fill = menu => gitml.experiment.then(page => delete menu.dataset.feature && gitml.sheet(menu, {
    columns: () => page.table.all.filter(c => c.kind === "params" || c.kind === "tags" || ["status", "user_id", "source", "commit", "dirty"].includes(c.name) && c.kind === "attributes"),
    chosen: () => page.view.group,
    change: next => page.write({group: next.map(page.name).join(","), open: ""}),
  }));

  return Object.assign(fill, {lines, cell});
})();
