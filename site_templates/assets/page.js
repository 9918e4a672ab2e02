// What every page has: data scripts, the address as state, numbers as text, theme, copying.
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
      const node = el("script", {src: root + address});
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

  // ---- elements: text only ever becomes text nodes and attributes
  const el = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props)) {
      if (key in node && typeof value !== "string") node[key] = value;
      else if (value !== false && value != null) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const choices = (select, items, chosen) => {
    select.replaceChildren(...items.map(([value, label]) => el("option", {value}, label)));
    select.value = chosen;
  };

  // ---- the address: what is looked at, as a link
  const address = {
    read: () => new URLSearchParams(location.hash.slice(1)),
    write(changes, keep = false) {
      const state = address.read();
      for (const [key, value] of Object.entries(changes)) value ? state.set(key, value) : state.delete(key);
      const text = state.toString().replaceAll("%2C", ",");
      if (text === location.hash.slice(1)) return;
      history[keep ? "pushState" : "replaceState"](null, "", `${location.pathname}${location.search}${text && "#" + text}`);
    },
    watch: then => addEventListener("hashchange", then),
  };

  // ---- the same texts as the pages' own
  const number = x => x == null ? "" : Number.isNaN(x) ? "NaN" : !Number.isFinite(x) ? String(x)
    : Number.isInteger(x) && Math.abs(x) < 1e15 ? String(x) : String(+x.toPrecision(5));
  const moment = ms => {
    const date = new Date(ms);
    return ms == null ? "" : isNaN(date) ? `${ms} ms` : date.toISOString().slice(0, 16).replace("T", " ");
  };
  const duration = ms => {
    if (ms == null || ms < 0) return "";
    if (ms < 1000) return `${ms} ms`;
    if (ms < 6e4) return `${(ms / 1000).toFixed(1)} s`;
    const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60);
    return m < 60 ? `${m} min ${s % 60} s` : h < 48 ? `${h} h ${m % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
  };

  // ---- theme
  const html = document.documentElement, button = document.getElementById("theme");
  const dark = () => html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const announce = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
    dispatchEvent(new Event("gitml:theme"));
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    html.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem(`gitml:${html.dataset.project}:theme`, html.dataset.theme); } catch { /* no storage */ }
    announce();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
  announce();

  // ---- menus close on Escape and on a click elsewhere
  addEventListener("keydown", e => {
    const menu = e.key === "Escape" && document.querySelector(".menu[open]");
    if (menu) { menu.open = false; menu.firstElementChild.focus(); }
  });
  addEventListener("click", e => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(e.target)) menu.open = false;
  });

  return {push, get, script, el, choices, address, number, moment, duration, root};
})();
