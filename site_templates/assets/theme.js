// Runs before the first paint, so that a chosen theme does not flash.
(() => {
  const root = document.documentElement;
  let theme = null;
  try { theme = localStorage.getItem(`gitml:${root.dataset.project}:theme`); } catch { /* no storage */ }
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
})();
