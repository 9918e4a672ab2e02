// A run page's curves.
"use strict";
gitml.get(document.body.dataset.run, document.getElementById("curves").dataset.src)
  .then(run => gitml.curves.panels([run]))
  .catch(error => document.getElementById("curves").replaceChildren(error.message));
