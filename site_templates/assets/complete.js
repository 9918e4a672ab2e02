// Completion of the filter: what can stand where the cursor is, in a list below the field.
"use strict";
gitml.complete = page => {
  const {el, bdi, on} = gitml, {KINDS, ATTRIBUTES, NUMERIC, INPUTS} = gitml.filter, {table, start} = page, MOST = 12;
  const field = gitml.at("filter"), list = el("div", {id: "filter-list", role: "listbox", "aria-label": "What can be typed here", class: "sheet", hidden: true});
  for (const [key, value] of Object.entries({role: "combobox", "aria-label": "Filter", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false"})) field.setAttribute(key, value);
  field.closest("label").append(list);

  const named = c => c.kind === "attributes" ? c.name : gitml.filter.name(c);
  const fields = () => [...table.all.filter(c => c.kind !== "attributes"), ...table.all.filter(c => c.kind === "attributes" && ATTRIBUTES.includes(c.name))].map(named).filter(Boolean)
    .concat(start.inputs.length ? INPUTS.map(name => `datasets.${name}`) : []);
  const column = text => {
    const [, entity, , tick, quoted, bare] = /^(?:(\w+)\.)?((`[^`]+`)|("[^"]+")|(.+))$/.exec(text) || [], name = (tick || quoted)?.slice(1, -1) ?? bare;
    return entity && KINDS[entity] ? table.find(KINDS[entity], name) : table.find("attributes", name);
  };
  const common = c => {
    const counts = new Map();
    for (const v of c.values.flat()) if (v !== null) counts.set(v, (counts.get(v) || 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([v]) => gitml.filter.quote(v));
  };

  // What is typed so far decides what may follow: a field, a comparison, a value, or AND and OR.
  const offers = () => {
    const head = field.value.slice(0, field.selectionStart), parts = head.match(/'(?:[^']|'')*'?|(?:[^\s`'"()=!<>,]|`[^`]*`?|"[^"]*"?)+|[=!<>]+|[(),]/g) || [];
    const last = /[\s=!<>(),]$/.test(head) && !/^['"].*[^'"]$/.test(parts.at(-1) || "") || !head ? "" : parts.pop(), word = last.toLowerCase();
    const at = k => (parts.at(k) || "").toUpperCase(), only = items => ({from: head.length - last.length, items: items.filter(item => item.toLowerCase().includes(word.replace(/^'/, "")) && item !== last).slice(0, MOST)});
    let back = parts.length - 1;
    while (back > 0 && /^(,|\(|IN|NOT|LIKE|ILIKE|[=!<>]+|'.*'|[-+.\d].*)$/i.test(parts[back])) back--;
    const key = column(parts[back] || ""), numeric = key && (key.kind === "metrics" || NUMERIC.includes(key.name) && key.kind === "attributes");
    if (/^(=|!=|<>|<|<=|>|>=|LIKE|ILIKE)$/.test(at(-1)) || /^[(,]$/.test(at(-1)) && key && parts.slice(back).some(part => part.toUpperCase() === "IN"))
      return only(key && !numeric && !/^[<>]/.test(at(-1)) ? common(key) : []);
    if (!parts.length || /^(AND|OR|NOT|\()$/.test(at(-1))) return only(fields());
    if (column(parts.at(-1)) && !/^'/.test(at(-1))) return only(numeric ? ["<", "<=", ">", ">=", "=", "!=", "BETWEEN", "IS NULL", "IS NOT NULL"] : ["=", "!=", ...(column(parts.at(-1)).numbers ? ["<", "<=", ">", ">=", "BETWEEN"] : []), "LIKE", "ILIKE", "IN (", "IS NULL", "IS NOT NULL"]);
    return only(["AND", "OR"]);
  };

  let now = {items: []}, chosen = -1;
  const close = () => { list.hidden = true; chosen = -1; field.ariaExpanded = "false"; field.removeAttribute("aria-activedescendant"); };
  const mark = k => {
    chosen = k;
    [...list.children].forEach((node, place) => node.ariaSelected = place === k);
    k < 0 ? field.removeAttribute("aria-activedescendant") : field.setAttribute("aria-activedescendant", list.children[k].id);
    list.children[k]?.scrollIntoView({block: "nearest"});
  };
  const take = item => {
    const rest = field.value.slice(field.selectionStart), head = field.value.slice(0, now.from), gap = /[^\s(]$/.test(head) ? " " : "", text = `${head}${gap}${item}${item.endsWith("(") ? "" : " "}`;
    field.value = text + rest.trimStart();
    field.setSelectionRange(text.length, text.length);
    field.dispatchEvent(new Event("input", {bubbles: true}));
  };
  const open = () => {
    now = offers();
    if (!now.items.length || field.selectionStart !== field.selectionEnd) { close(); return; }
    list.replaceChildren(...now.items.map((item, k) => el("div", {role: "option", id: `filter-${k}`, "aria-selected": "false",
      onpointerdown(event) { event.preventDefault(); take(item); }}, bdi(item))));
    list.hidden = false;
    field.ariaExpanded = "true";
    mark(-1);
  };
  on(field, "input click", open);
  on(field, "blur", close);
  on(field, "keydown", event => {
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); close(); return; }
    if (event.key === "ArrowDown" && list.hidden) { event.preventDefault(); open(); if (!list.hidden) mark(0); return; }
    if (list.hidden || event.ctrlKey || event.altKey || event.metaKey) return;
    const count = list.children.length, step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step) { event.preventDefault(); mark((chosen + step + count + (chosen < 0 && step < 0)) % count); }
    if ((event.key === "Enter" || event.key === "Tab" && !event.shiftKey) && chosen >= 0) { event.preventDefault(); take(now.items[chosen]); }
    else if (event.key === "Enter") close();
  });
  page.inputs().catch(() => {});  // the filter says so when it needs them
  if (document.activeElement === field) open();
};
