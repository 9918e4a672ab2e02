// run.html#<run id>: shows a run that has no page of its own.
"use strict";
(async () => {
  const {el, at} = gitml, main = at("main"), named = () => location.hash.slice(1).split("&")[0].toLowerCase(), id = named();
  const known = text => /^[0-9a-f]{32}$/.test(text);
  const tell = (title, ...lines) => {
    main.replaceChildren(el("div", {class: "head"}, el("h1", {}, title), ...lines.map(line => el("p", {class: "quiet"}, line)),
      el("pre", {tabIndex: 0}, el("code", {}, `gitml runs show ${known(id) ? id : "RUN_ID"}`)),
      el("p", {}, el("a", {class: "button", href: "index.html"}, "To the first page"))));
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
  if (!known(id)) { tell("No run is named", "The address of this page ends in # and the 32 digits of a run’s id."); arrive(); return; }
  try {
    const found = await gitml.find(id);
    if (found && !found.html && !location.search) { location.replace(found.page + location.hash.replace(/^#\w+(&?)/, (_, more) => more && "#")); return; }
    if (!found || !found.html) {
      tell("This run is not in the site", "It may be newer than the site, or it was deleted. Its record may still be in git:");
    } else {
      const run = await found.read(), crumbs = document.querySelector(".bar nav"), slash = () => el("span", {"aria-hidden": "true"}, "/");
      const page = document.createElement("template");
      page.innerHTML = found.html;  // written by the site's own templates, which escape every text of a user
      main.replaceChildren(page.content);
      document.title = `${run.name} · ${document.title}`;
      crumbs.append(slash(), " ", el("a", {href: run.experiment[1]}, el("bdi", {}, run.experiment[0])), " ", slash(), " ", el("span", {"aria-current": "page"}, el("bdi", {}, run.name)));
      gitml.copy(main);
      if (run.curves.length) gitml.later(at("curves"), ["charts", "sheet", "curves"], () => gitml.curves.panels([run]));
    }
  } catch (error) {
    tell("This run could not be loaded", `${error.message}. Reload the page to try again.`);
  }
  arrive();
})();
