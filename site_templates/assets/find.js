// Where a run is: on a page of its own, or with 255 others in a shard of older runs.
"use strict";
// Gives {page, html, read}: its address, for an older run what to show, and what gives its record. Null for an unknown id.
gitml.find = async id => {
  const digits = Number(document.body.dataset.digits), name = `ids/${id.slice(0, digits) || "all"}`;
  const places = await gitml.get(name, `data/${name}.js`), rest = id.slice(digits);
  if (!Object.hasOwn(places, rest)) return null;
  const older = `older/${places[rest]}`;
  if (places[rest] < 0) return {html: "", page: `runs/${id}.html`, read: () => gitml.get(id, `data/runs/${id}.js`)};
  const found = (await gitml.get(older, `data/${older}.js`))[id];
  return found && {html: found.html, page: `run.html#${id}`, read: async () => found.run};
};
