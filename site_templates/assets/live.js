// Only in what `gitml ui` serves: asks now and then whether the site changed, and shows it anew.
"use strict";
(() => {
  const {el, root} = gitml, pause = Number(document.body.dataset.live);
  let mine = "", held = false, newer = false;
  addEventListener("pointerdown", () => { held = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { held = false; });

  // A page that is being used is not pulled away: it says that there is more instead.
  const idle = () => !held && !document.querySelector("details[open]") && String(getSelection()) === ""
    && ["BODY", "H1"].includes((document.activeElement || document.body).tagName)
    && [...document.querySelectorAll(".scroll")].every(box => !box.scrollTop);

  gitml.generation = text => {
    mine = mine || text;
    if (text === mine) return;
    newer = true;
    if (idle()) { location.reload(); return; }
    gitml.at("main").before(el("div", {class: "newer", role: "status"}, "The data is newer than this page. ", gitml.button("Show", () => location.reload())));
  };

  const ask = () => {
    if (newer) return;
    if (document.hidden) { document.addEventListener("visibilitychange", ask, {once: true}); return; }
    const node = el("script", {src: `${root}generation.js?${Date.now()}`});
    node.onload = node.onerror = () => { node.remove(); setTimeout(ask, pause); };
    document.head.append(node);
  };
  ask();
})();
