// A link to a run's page outlives the page: run.html shows older runs.
"use strict";
(() => {
  const found = /\/runs\/([0-9a-f]{32})\.html$/.exec(location.pathname);
  if (found) location.replace(`${gitml.root}run.html?moved#${found[1]}${location.hash.replace("#", "&")}`);
})();
