// A run page's curves.
"use strict";
(() => {
  const section = document.getElementById("curves");
  gitml.later(section, ["charts", "curves"], () => gitml.get(document.body.dataset.run, section.dataset.src)
    .then(run => gitml.curves.panels([run]), error => gitml.failed(section, error)));
})();
