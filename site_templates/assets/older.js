// run.html#<run id>: shows a run that has no page of its own.
"use strict";
(async () => {
  const {el, at, bdi} = gitml, main = at("main"), named = () => location.hash.slice(1).split("&")[0].toLowerCase(), id = named();
  const known = text => /^[0-9a-f]{32}$/.test(text);
  const tell = (template, error = "") => {
    main.replaceChildren(at(template).content);
    main.querySelector(".quiet").prepend(error);
    if (known(id)) main.querySelector("code").textContent = `gitml runs show ${id}`;
  };
  const arrive = () => {
    const head = main.querySelector("h1");
    main.removeAttribute("aria-busy");
    head.tabIndex = -1;
    head.focus();
  };
  addEventListener("hashchange", () => {
    if (known(named()) && named() !== id) location.reload();
  });
  if (!known(id)) { tell("unnamed"); arrive(); return; }
  try {
    const found = await gitml.find(id);
    if (found && !found.html && !location.search) { location.replace(found.page + location.hash.replace(/^#\w+(&?)/, (_, more) => more && "#")); return; }
    if (!found || !found.html) tell("absent");
    else {
      const run = await found.read(), crumbs = document.querySelector(".bar nav"), slash = () => el("span", {"aria-hidden": "true"}, "/");
      const page = document.createElement("template");
      page.innerHTML = found.html;  // written by the site's own templates, which escape every text of a user
      main.replaceChildren(page.content);
      document.title = `${run.name} · ${document.title}`;
      crumbs.append(slash(), " ", el("a", {href: run.experiment[1]}, bdi(run.experiment[0])), " ", slash(), " ", el("span", {"aria-current": "page"}, bdi(run.name)));
      gitml.copy(main);
      if (run.curves.length) gitml.later(at("curves"), ["charts", "sheet", "curves"], () => gitml.curves.panels([run]));
    }
  } catch (error) {
    tell("broken", error.message);
  }
  arrive();
})();
