// A run page's curves, and the HTML pages it logged.
"use strict";
(() => {
  const section = gitml.at("curves");
  if (section) gitml.later(section, ["charts", "sheet", "curves"], () => gitml.get(document.body.dataset.run, section.dataset.src)
    .then(run => gitml.curves.panels([run]), error => gitml.failed(section, error)));

  // The frame has no origin and no network: what it shows can run scripts, but reach nothing of the site.
  for (const box of document.querySelectorAll(".sandboxed")) gitml.on(box, "toggle", () => {
    const {src, name} = box.dataset, place = box.querySelector(".place");
    gitml.get(src, src).then(({html}) => {
      const frame = gitml.el("iframe", {sandbox: "allow-scripts", title: name, src: `${gitml.root}sandbox.html`});
      addEventListener("message", event => {
        if (event.source === frame.contentWindow && event.data === "ready") frame.contentWindow.postMessage(html, "*");
      });
      place.replaceChildren(frame);
    }, error => gitml.failed(place, error));
  }, {once: true});
})();
