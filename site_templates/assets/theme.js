// Runs before the first paint, so that a chosen theme does not flash.
(() => {
  const root = document.documentElement;
  if (new URLSearchParams(location.search).has("bare")) root.dataset.bare = "";  // in a frame of another page
  let theme = null;
  try { theme = localStorage.getItem(`gitml:${root.dataset.project}:theme`); } catch { /* no storage */ }
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
})();
document.documentElement.classList.add("scripted");
