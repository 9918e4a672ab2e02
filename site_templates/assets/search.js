// Search over runs, experiments, models and notes: works the dialog that page.js opens; the index comes on first use.
"use strict";
gitml.search = (() => {
  const {el, bdi, on} = gitml, SHOWN = 40, blocks = [];
  let pages = [], paged = 0, left = 0, active = -1, state = "", begun = false;

  const box = document.querySelector(".search"), [input, said] = box.children, list = el("div", {id: "found", role: "listbox", "aria-label": "Found", hidden: true});
  said.before(list);
  input.setAttribute("aria-controls", "found");
  input.ariaAutoComplete = "list";

  // ---- the index: one lower-case text per run, its name first
  const take = shard => {
    const [id, name, start, experiment, commit, note] = shard.values.map(({x, t, d, i}) => x || t || i.map(k => k < 0 ? null : d[k]));
    const texts = id.map((one, row) => [name[row], one, experiment[row], commit[row], note[row]].join("\n").toLowerCase());
    blocks.push({n: shard.n, from: blocks.reduce((sum, block) => sum + block.n, 0), id, name, start, experiment, note, texts});
  };
  const load = async () => {
    const head = await gitml.get("search", "data/search.js");
    ({paged, left} = head);
    pages = head.pages.map(([kind, title, page, text]) => ({kind, title, page, text, low: `${title}\n${text}`.toLowerCase()}));
    take(head.runs);
    state = "";
    show();
    for (const [key, place] of head.more) { take(await gitml.get(key, place)); show(); }
  };

  // ---- how well a text fits: as a title from its start, in the title, anywhere; 3 for not at all
  const fit = (low, words, whole) => {
    if (!words.every(word => low.includes(word))) return 3;
    const title = low.slice(0, low.indexOf("\n"));
    return title.startsWith(whole) ? 0 : words.every(word => title.includes(word)) ? 1 : 2;
  };
  const find = text => {
    const whole = text.trim().toLowerCase(), words = whole.split(/\s+/).filter(Boolean), ranks = [[], [], []];
    let count = 0;
    for (const item of pages) {
      const rank = fit(item.low, words, whole);
      if (rank < 3) { count++; ranks[rank].push(item); }
    }
    if (words.length) for (const block of blocks) block.texts.forEach((low, row) => {
      const rank = fit(low, words, whole);
      if (rank < 3 && ++count && ranks[rank].length < SHOWN) ranks[rank].push({block, row});
    });
    return {count, items: ranks.flat().slice(0, SHOWN), words};
  };

  // ---- the list
  const about = ({block, row}) => ({kind: "run", title: block.name[row], page: (block.from + row < paged ? "runs/ID.html" : "run.html#ID").replace("ID", block.id[row]),
    text: [block.experiment[row], gitml.moment(block.start[row]), block.note[row]].filter(Boolean).join(" · ")});
  const around = (text, words) => {
    const at = Math.min(...words.map(word => text.toLowerCase().indexOf(word)).filter(n => n >= 0));
    return at > 90 && at < Infinity ? `…${text.slice(at - 40, at + 90)}` : text.slice(0, 130);
  };
  const choose = place => {
    const options = list.children;
    if (options[active]) options[active].removeAttribute("aria-selected");
    active = options.length ? (place + options.length) % options.length : -1;
    if (active < 0) { input.removeAttribute("aria-activedescendant"); return; }
    options[active].ariaSelected = "true";
    options[active].scrollIntoView({block: "nearest"});
    input.setAttribute("aria-activedescendant", options[active].id);
  };
  const show = () => {
    const {count, items, words} = find(input.value), id = input.value.trim().toLowerCase();
    const shown = items.map(item => item.block ? about(item) : item);
    if (!count && /^[0-9a-f]{32}$/.test(id)) shown.push({kind: "run", title: id, page: `run.html#${id}`, text: "Open the run of this id"});
    list.replaceChildren(...shown.map(({kind, title, page, text}, n) => el("a", {id: `found-${n}`, role: "option", tabIndex: -1, href: gitml.root + page},
      el("span", "quiet small", kind), el("b", {}, bdi(title)), el("bdi", "quiet small", around(text, words)))));
    list.hidden = !shown.length;
    input.ariaExpanded = !list.hidden;
    choose(0);
    said.textContent = state || (!words.length ? "Arrow keys choose, Enter opens, Escape closes." : !count && !shown.length ? "Nothing is found." : `${count} found${count > shown.length ? `, the best ${shown.length} shown` : ""}.`)
      + (words.length && left ? ` The oldest ${left} runs are found by their id only.` : "");
  };

  on(input, "input", show);
  on(input, "keydown", e => {
    const step = {ArrowDown: 1, ArrowUp: -1}[e.key];
    if (step) { e.preventDefault(); choose(active + step); }
    if (e.key === "Enter" && list.children[active]) { e.preventDefault(); list.children[active].click(); }
  });
  on(list, "click", () => box.close());
  on(box, "click", e => { if (e.target === box) box.close(); });
  return () => {
    if (begun) return;
    begun = true;
    state = "Loading…";
    show();
    load().catch(error => { begun = blocks.length > 0; state = `${error.message}. Close this and try again.`; show(); });
  };
})();
