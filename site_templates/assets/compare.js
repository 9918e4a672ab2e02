// The compare page: compare.html#<run id>,<run id>,…&only=on&smooth=0.6…; each run's numbers come from its own script.
"use strict";
(async () => {
  const {el, at, address, choices, bdi, on} = gitml;
  const named = () => [...new Set(location.hash.slice(1).split("&")[0].split(",").filter(v => /^[0-9a-f]{32}$/.test(v)))];
  const MOST = 200, asked = named(), ids = asked.slice(0, MOST);
  address.watch(() => String(named()) === String(asked) || location.reload());
  if (!ids.length) return;
  const answers = await Promise.all(ids.map(id => gitml.find(id).then(async found => found && {...await found.read(), page: found.page}).catch(error => error)));
  try { await gitml.load("charts", "filter", "filter-edit", "parallel", "plots", "sheet", "curves"); } catch (error) { gitml.failed(at("trouble"), error); return; }
  const runs = answers.filter(answer => answer && answer.id), gone = ids.filter((_, k) => !answers[k]), lost = ids.filter((_, k) => answers[k] instanceof Error);
  at("trouble").textContent = [asked.length > MOST && `The first ${MOST} of ${asked.length} runs are compared.`, gone.length && `Not in this site: ${gone.join(", ")}.`, lost.length && `Could not be loaded: ${lost.join(", ")}. Reload the page to try again.`].filter(Boolean).join(" ");
  at("trouble").hidden = !at("trouble").textContent;
  if (!runs.length) return;
  at("empty").hidden = true;
  at("result").hidden = false;
  at("heading").textContent = `Compare ${runs.length} run${runs.length === 1 ? "" : "s"}`;

  // ---- the table: a row differs when its runs do not all say the same
  const KINDS = {metrics: "Metrics", params: "Parameters", datasets: "Datasets", tags: "Tags", packages: "Environment", facts: "Run"}, ROWS = 300;
  const best = new Map(runs.flatMap(run => run.metrics.map(([name, , way]) => [name, Math[way]])));
  const groups = Object.keys(KINDS).map(kind => {
    const maps = runs.map(run => new Map(run[kind])), names = [...new Set(maps.flatMap(map => [...map.keys()]))];
    if (kind !== "facts") names.sort();
    const lines = names.map(name => {
      const values = maps.map(map => map.has(name) ? kind === "metrics" ? Number(map.get(name)) : map.get(name) : null);
      const raw = kind === "metrics", judged = raw || kind === "params" ? gitml.judged(values, raw) : {};
      const finite = raw ? values.filter(Number.isFinite) : [], differs = new Set(values.map(String)).size > 1;
      return {name, values, ...judged, differs, best: differs && finite.length > 1 && best.get(name)?.(...finite)};
    });
    return {kind, lines: kind === "facts" ? lines : [...lines.filter(line => line.differs), ...lines.filter(line => !line.differs)]};
  });
  const {charts} = gitml, swatch = run => charts.swatch(run.id);
  const side = () => {
    const only = at("only").checked;
    at("side").replaceChildren(el("table", "side",
      el("thead", {}, el("tr", {}, el("th", {scope: "col"}, el("span", "unseen", "what")), ...runs.map(run => el("th", {scope: "col"}, swatch(run), el("a", {href: run.page}, bdi(run.name)),
        el("div", "quiet small", el("a", {href: run.experiment[1]}, bdi(run.experiment[0]))))))),
      ...groups.map(({kind, lines}) => {
        // Packages that are alike are many and say nothing; what differs comes first and is never cut by them.
        const apart = lines.filter(line => line.differs), shown = (only || kind === "packages" ? apart : lines).slice(0, ROWS), rest = only ? 0 : lines.length - shown.length;
        return el("tbody", {hidden: !shown.length && !rest}, el("tr", "group", el("th", {scope: "rowgroup", colSpan: runs.length + 1}, KINDS[kind])),
          ...shown.map(line => el("tr", {class: line.differs ? "differs" : ""}, el("th", {scope: "row"}, bdi(line.name), ...(line.differs ? [el("span", "unseen", " differs")] : [])),
            ...line.values.map(v => el("td", {title: `${v ?? ""}${v === line.best ? ", best" : ""}`}, el(v === line.best ? "b" : "bdi", {}, gitml.text(line, v).slice(0, 300)))))),
          ...(rest ? [el("tr", {}, el("td", {class: "quiet", colSpan: runs.length + 1}, `${rest}${shown.length ? " more" : ""}${apart.length <= shown.length ? ", alike in all" : ""}`))] : []));
      })));
  };
  on(at("side"), "pointerover", e => { const k = e.target.closest("td, thead th")?.cellIndex; charts.hover(k ? k - 1 : null); });
  on(at("side"), "pointerleave", () => charts.hover(null));
  charts.watch(row => at("side").querySelectorAll("thead th").forEach((th, k) => th.classList.toggle("hot", k - 1 === row)));
  address.bind(["only"], side);

  // ---- the code between the oldest run's commit and each other
  const aged = [...runs].sort((a, b) => a.start - b.start), commits = [...new Set(aged.map(run => run.commit).filter(Boolean))].slice(0, 20);
  at("code").hidden = commits.length < 2;
  for (const commit of commits.slice(1)) {
    const code = el("code", {}, `git diff ${commits[0].slice(0, 12)} ${commit.slice(0, 12)}`), base = document.body.dataset.code;
    const who = aged.filter(run => run.commit === commit).map(run => run.name).slice(0, 5).join(", ");
    at("code").append(el("p", {}, base ? el("a", {href: base.replace("{old}", commits[0]).replace("{new}", commit), rel: "noopener"}, code) : code, el("span", "quiet", " ", bdi(who))));
  }

  // ---- pictures of the same name beside one another
  const paths = [...new Set(runs.flatMap(run => run.pictures.map(([path]) => path)))].sort((a, b) => a.localeCompare(b, "en", {numeric: true})).slice(0, 24);
  at("pictures").hidden = !paths.length;
  for (const path of paths) at("pictures").append(el("h3", {}, bdi(path)), el("div", "pictures", ...runs.flatMap(run => run.pictures.filter(p => p[0] === path).map(([, src]) =>
    el("figure", {}, el("a", {href: src}, el("img", {src, loading: "lazy", alt: `${path} of ${run.name}`})), el("figcaption", {}, swatch(run), bdi(run.name)))))));

  // ---- charts over the same columns
  const columns = groups.flatMap(({kind, lines}) => kind === "params" || kind === "metrics" ? lines.map(line => ({...line, kind, label: line.name, key: `${kind}.${encodeURIComponent(line.name)}`})) : []);
  const apart = kind => columns.filter(c => c.kind === kind && c.differs), rows = runs.map((_, k) => k);
  const preset = [...apart("params").slice(0, 6), ...apart("metrics").slice(0, 4)];
  at("charts").hidden = runs.length < 2 || !preset.length;
  const label = row => runs[row].name, open = row => { location.href = runs[row].page; };
  const shared = {rows, label, open, tint: {of: row => charts.colour(runs[row].id), legend: () => []}};

  // ---- parallel coordinates; axes and brushes are in the address, as those of an experiment are
  const key = column => column.key, keyed = word => columns.find(c => c.key === word), table = {find: (kind, name) => columns.find(c => c.kind === kind && c.name === name)};
  const axes = () => charts.axes(keyed) || preset.map(column => ({column}));
  const rearrange = next => { address.write({axes: next.map(axis => charts.written(axis, key)).join(",")}, true); parallel(); };
  let chart, frame = 0;
  const light = () => {
    const {test, clauses} = gitml.filter.parse(address.read().get("q") || "", table);
    return chart?.update(test, charts.brushes(chart.axes, clauses));
  };
  const parallel = async () => {
    chart = await charts.parallel(at("parallel"), {...shared, axes: axes(), lit: () => true, change: rearrange, brushed(axis, ranges, done) {
      address[done ? "write" : "hold"]({q: charts.brushed(address.read().get("q") || "", axis, ranges)}, true);
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(light);
    }}) || chart;
    light();
  };
  charts.seen(at("parallel"), parallel);
  charts.axesMenu(() => columns.filter(c => c.differs), axes, rearrange);
  address.watch(() => chart && parallel());

  const pickable = columns.filter(c => c.numbers || c.differs), first = kind => (apart(kind)[0] || pickable.find(c => c.kind === kind) || pickable[0] || {}).key;
  for (const [id, preset] of [["x", first("params")], ["y", first("metrics")]]) choices(at(id), pickable.map(c => [c.key, c.label]), preset);
  const scatter = () => {
    const [x, y] = ["x", "y"].map(id => ({column: keyed(at(id).value)}));
    if (x.column && y.column) charts.scatter(at("scatter"), {...shared, x, y, lit: () => true});
  };
  address.bind(["x", "y"], () => at("scatter").chart && scatter());
  charts.seen(at("scatter"), scatter);
  gitml.curves.panels(runs);
})();
