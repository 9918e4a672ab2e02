// Commands get a button that copies them.
"use strict";
gitml.copy = root => {
  for (const box of root.querySelectorAll(".command")) {
    const copy = gitml.el("button", {type: "button", class: "plain"}, "Copy");
    copy.addEventListener("click", async () => {
      getSelection().selectAllChildren(box.querySelector("code"));
      try { await navigator.clipboard.writeText(box.querySelector("code").textContent); copy.textContent = "Copied"; }
      catch { copy.textContent = "Selected"; }
    });
    box.append(copy);
  }
};
gitml.copy(document);
