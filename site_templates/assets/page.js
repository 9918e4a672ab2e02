// What every page has: data scripts, features loaded when used, the address as state, numbers as text, theme.
"use strict";
window.gitml = (() => {
  const waiting = new Map(), arrived = new Map();
  const root = document.body.dataset.root;

  // ---- data: classic scripts call push(key, value), which works from disk as over HTTP
  const unpack = async text => {
    const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text)
      : Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  const push = (key, value) => arrived.set(key, typeof value === "string" ? unpack(value) : value);
  const script = address => {
    if (!waiting.has(address)) waiting.set(address, new Promise((good, bad) => {
      const node = address.endsWith(".css") ? el("link", {rel: "stylesheet", href: root + address}) : el("script", {src: root + address, async: true});
      node.onload = good;
      node.onerror = () => { waiting.delete(address); bad(new Error(`${address} cannot be loaded`)); };
      document.head.append(node);
    }));
    return waiting.get(address);
  };
  const get = async (key, address) => {
    if (!arrived.has(key)) await script(address);
    return arrived.get(key);
  };

  // ---- features: own scripts and styles a page does not need at once; load("charts", "curves") runs the second only after the first
  const features = new Map(document.body.dataset.features.split(" ").map(address => [address.split(/[/.]/)[1], address]));
  const load = (...names) => names.reduce((before, name) => before.then(() => script(features.get(name))), Promise.resolve());
  // Loads them once a box is nearly in sight or there is nothing else to do, and says in the box where that fails.
  const later = (box, names, then) => new Promise(go => {
    new IntersectionObserver((entries, watch) => {
      if (entries.some(e => e.isIntersecting)) { watch.disconnect(); go(); }
    }, {rootMargin: "400px"}).observe(box);
    (window.requestIdleCallback || setTimeout)(go);
  }).then(() => load(...names)).then(then, error => failed(box, error));
  const failed = (box, error) => {
    box.hidden = false;
    box.replaceChildren(el("p", "quiet", `${error.message}. Reload the page to try again.`));
  };

  const at = id => document.getElementById(id);

  // ---- elements: text only ever becomes text nodes and attributes; props that are a text are its class
  const el = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    if (typeof props === "string") props = {class: props};
    for (const [key, value] of Object.entries(props)) {
      if (key in node && typeof value !== "string") node[key] = value;
      else if (value !== false && value != null) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const bdi = text => el("bdi", {}, text);
  const on = (node, events, then, how) => events.split(" ").forEach(event => node.addEventListener(event, then, how));
  const button = (content, onclick, more) => el("button", {type: "button", onclick, ...more}, content);
  const choices = (select, items, chosen) => {
    select.replaceChildren(...items.map(([value, label]) => el("option", {value}, label)));
    select.value = chosen;
  };

  // ---- the address: what is looked at, as a link
  let held = {};  // what a drag under way says; browsers refuse hundreds of writes in a few seconds
  const address = {
    hold(changes) { held = changes; },
    read() {
      const state = new URLSearchParams(location.hash.slice(1));
      for (const [key, value] of Object.entries(held)) value ? state.set(key, value) : state.delete(key);
      return state;
    },
    write(changes, keep = false) {
      held = {...held, ...changes};
      const state = address.read();
      held = {};
      const text = state.toString().replaceAll("%2C", ",").replace(/=(?=&|$)/g, "");
      if (text === location.hash.slice(1)) return;
      history[keep ? "pushState" : "replaceState"](null, "", `${location.pathname}${location.search}${text && "#" + text}`);
    },
    watch: then => addEventListener("hashchange", () => { held = {}; then(); }),
    // Controls as parts of the address, by their ids; one that stands as the page has it says nothing there.
    bind(ids, then) {
      const said = c => c.type === "checkbox" ? c.checked ? "on" : "off" : c.value, presets = ids.map(at).map(c => [c, said(c)]);
      let typing = false;
      const show = () => {
        const state = address.read();
        for (const [c, preset] of presets) {
          const value = state.get(c.id) ?? preset;
          if (c.type === "checkbox") c.checked = value === "on";
          else for (const word of [value, preset]) if (c.value !== value) c.value = word;
        }
        then();
      };
      for (const [c, preset] of presets) {
        on(c, "input", () => { address.write({[c.id]: said(c) === preset ? "" : said(c)}, !typing); typing = true; then(); });
        on(c, "change", () => { typing = false; });
      }
      address.watch(show);
      show();
    },
  };

  // ---- the same texts as the pages' own
  const number = (x, digits = 5) => x == null ? "" : !Number.isFinite(x) ? String(x)
    : Math.abs(x) >= 1e15 ? (+x.toPrecision(digits)).toExponential()
    : Number.isInteger(x) || Math.abs(x) >= 10 ** (digits - 1) ? x.toFixed()
    : String(+x.toPrecision(digits));
  // Writes numbers; each of `all` with as many digits as tell it from the next smaller and larger one.
  const apart = (all, least = 5) => {
    const sorted = Float64Array.from(new Set(all.filter(Number.isFinite))).sort();
    return x => {
      let low = 0, high = sorted.length, digits = least;
      while (low < high) { const k = low + high >> 1; sorted[k] < x ? low = k + 1 : high = k; }
      const near = sorted[low] === x ? [sorted[low - 1] ?? NaN, sorted[low + 1] ?? NaN] : [];
      while (digits < 17 && near.some(n => number(n, digits) === number(x, digits))) digits++;
      return number(x, digits);
    };
  };
  // To the minute, or among moments so many ms apart to the second or to the millisecond.
  const moment = (ms, span = 1e6) => {
    const date = new Date(ms);
    return ms == null ? "" : isNaN(date) ? `${ms} ms` : date.toISOString().slice(0, span < 6e3 ? 23 : span < 6e5 ? 19 : 16).replace("T", " ");
  };
  const duration = ms => {
    if (ms == null || ms < 0) return "";
    if (ms < 1000) return `${ms} ms`;
    if (ms < 6e4) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
    const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60);
    return m < 60 ? `${m} min ${s % 60} s` : h < 48 ? `${h} h ${m % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
  };
  // Writes a value of a column {kind, name, numbers}; a param that is a long number is written as one.
  const text = (column, v) => {
    if (v === null) return "";
    const long = column.numbers && v.length > 12 && gitml.numeral(v), x = Number.isFinite(long) ? long : v;
    if (typeof x !== "number") return v;
    if (column.kind !== "attributes") return (column.say ||= apart(column.numbers))(x);
    return column.name === "start_time" ? moment(x) : duration(Math.round(x));
  };

  // ---- theme
  const html = document.documentElement, light = at("theme");
  const dark = () => html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const announce = () => {
    light.textContent = dark() ? "Light" : "Dark";
    light.ariaLabel = `Switch to ${dark() ? "light" : "dark"} colours`;
    dispatchEvent(new Event("gitml:theme"));
  };
  light.hidden = false;
  on(light, "click", () => {
    html.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem(`gitml:${html.dataset.project}:theme`, html.dataset.theme); } catch { /* no storage */ }
    announce();
  });
  on(matchMedia("(prefers-color-scheme: dark)"), "change", announce);
  announce();

  // ---- search: a dialog that takes letters at once, and a script that then looks them up
  const seek = at("seek");
  seek.hidden = false;
  on(seek, "click", () => {
    const box = document.querySelector(".search") || el("dialog", {class: "search", "aria-label": "Search"}, el("input", {role: "combobox",
      "aria-expanded": "false", "aria-label": "Search runs, experiments, models and notes", placeholder: "Name, id, commit or words of a note",
      spellcheck: "false", autocomplete: "off"}), el("p", {class: "quiet small", role: "status"}, "Loading…"));
    document.body.append(box);
    if (!box.open) box.showModal();
    box.firstChild.select();
    load("search").then(() => gitml.search(), error => { box.lastChild.textContent = `${error.message}. Close this and try again.`; });
  });
  addEventListener("keydown", e => {
    const typing = e.target.closest("input, textarea, select"), inSight = typing && typing.getClientRects().length;
    if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || inSight) return;  // a closed dialog keeps the focus for a moment
    e.preventDefault();
    seek.click();
  });

  // ---- links that skip move the focus and leave the address alone, for there is what is looked at
  addEventListener("click", e => {
    const skip = e.target.closest(".skip"), to = skip && document.querySelector(skip.getAttribute("href"));
    if (!to) return;
    e.preventDefault();
    to.tabIndex = -1;
    to.focus();
  });

  // ---- menus whose scripts are loaded when they are opened; the last one fills them
  addEventListener("toggle", ({target}) => {
    const names = target.dataset.feature?.split(" ");
    if (names && target.open) load(...names).then(() => gitml[names.at(-1)](target)).catch(error => failed(target.querySelector(".sheet"), error));
  }, true);

  // ---- in a frame of another page, links lead out of it
  if ("bare" in html.dataset) addEventListener("click", e => {
    const link = e.target.closest("a[href]");
    if (link && !link.getAttribute("href").startsWith("#")) link.target = "_blank";
  }, true);

  // ---- menus close on Escape and on a click elsewhere
  addEventListener("keydown", e => {
    const menu = e.key === "Escape" && document.querySelector(".menu[open]");
    if (menu) { menu.open = false; menu.firstElementChild.focus(); }
  });
  addEventListener("click", e => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!e.composedPath().includes(menu)) menu.open = false;
  });

  return {push, get, load, later, failed, at, el, bdi, on, button, choices, address, number, apart, text, moment, duration, root};
})();
