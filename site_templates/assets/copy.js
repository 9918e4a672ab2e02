// Commands get a button that copies them.
"use strict";
gitml.copy = root => {
  for (const box of root.querySelectorAll(".command")) {
    const copy = gitml.button("Copy", async () => {
      getSelection().selectAllChildren(box.querySelector("code"));
      try { await navigator.clipboard.writeText(box.querySelector("code").textContent); copy.textContent = "Copied"; }
      catch { copy.textContent = "Selected"; }
    }, {class: "plain"});
    box.append(copy);
  }
};
gitml.copy(document);
