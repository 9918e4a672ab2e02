"""Measure the dashboard in Chromium; run by hand: python -m tests.benchmarks.dashboard 1000 10000.

For each number of runs (22 params and metrics, 9 attributes: 31 columns) it loads a repository,
builds its site with the command, from nothing (the index and the chart library, too) and after one
new run, opens the experiment's page from disk and prints a table to stderr and JSON to stdout.
Times in ms are of the page's own clock since navigation began, or the median of several steps;
``parallel_ms`` is that of drawing parallel coordinates anew, from a click in an axis's menu to the
picture, Vega being loaded; ``heap_mb`` is what the page's scripts hold in the end.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.browsers import chromium

ROOT = Path(__file__).parents[2]
_NEW_RUN = """
import gitml
gitml.set_experiment("bench")
with gitml.start_run():
    gitml.log_metric("m0", 1)
"""
_WATCH = """
const start = performance.now();
window.seen = {};
const look = () => {
  const text = document.getElementById("count")?.textContent || "";
  if (text && !seen.usable) seen.usable = performance.now();
  if (text && !text.includes("loading")) { seen.all = performance.now(); return; }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
_FILTER = """async text => {
  const box = document.getElementById("filter"), before = performance.now();
  box.value = text;
  box.dispatchEvent(new Event("input"));
  await new Promise(requestAnimationFrame);
  return performance.now() - before;
}"""
_SORT = """async key => {
  const before = performance.now();
  document.querySelector(`[data-column="${key}"] button`).click();
  await new Promise(requestAnimationFrame);
  return performance.now() - before;
}"""
_FLIP = """async () => {
  const box = document.getElementById("parallel"), old = box.chart, before = performance.now();
  box.querySelector(".axis button").click();
  while (box.chart === old) await new Promise(requestAnimationFrame);
  return performance.now() - before;
}"""
_FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = now => { frames_.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""
_LONGEST = """() => new Promise(answer => requestAnimationFrame(() => requestAnimationFrame(
  () => answer(Math.max(...frames_.splice(0))))))"""


def clone(parent: Path, count: int) -> Path:
    """Make a repository with one experiment of runs with 31 columns, and no index yet."""
    folder = parent / "clone"
    git = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-C", folder]
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Start"], check=True)
    _python(folder, f"from tests.benchmarks.loading import load_gitml; load_gitml({count}, 11, 11)")
    return folder


def built(folder: Path) -> float:
    """Build a repository's site with the command, as ``_site`` in it; s."""
    before = time.perf_counter()
    _python(folder, "from gitml.cli import main; main()", "site", "build")
    return time.perf_counter() - before


def _python(folder: Path, code: str, *args: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled
    command = [sys.executable, "-c", code, *args]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def _measure(browser: Any, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = clone(Path(temporary), count)
        first = built(folder)
        _python(folder, _NEW_RUN)
        again = built(folder)
        site = folder / "_site"
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        page.add_init_script(_WATCH)
        page.goto(next((site / "experiments").iterdir()).as_uri())
        while "all" not in (seen := page.evaluate("seen")):
            time.sleep(0.05)
        filtered = [page.evaluate(_FILTER, f"metrics.m1 < 0.{k}") for k in range(1, 8)]
        page.evaluate(_FILTER, "")
        sorted_ = [page.evaluate(_SORT, f"metrics.m{k}") for k in range(4)]
        frames = _brush(page)
        drawn = [page.evaluate(_FLIP) for _ in range(5)]
        heap = _heap(page)
        page.close()
    return {
        "runs": count, "build_s": round(first, 1), "rebuild_s": round(again, 2),
        "site_mb": round(size / 1e6, 1),
        "usable_ms": round(seen["usable"]), "all_ms": round(seen["all"]),
        "filter_ms": round(statistics.median(filtered), 1),
        "sort_ms": round(statistics.median(sorted_), 1),
        "brush_ms": frames, "parallel_ms": round(statistics.median(drawn), 1),
        "heap_mb": round(heap / 1e6, 1),
    }  # fmt: skip


def _heap(page: Any) -> float:
    """Bytes that the page's scripts hold, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))


def _brush(page: Any) -> float:
    """Median over the steps of a brush of the longest time between two frames, at best 16.7."""
    box = page.locator("#parallel")
    box.scroll_into_view_if_needed()
    page.locator("#parallel canvas").wait_for()
    area, axes = page.locator("#parallel canvas").bounding_box(), 8
    x, y = area["x"] + 28 + (area["width"] - 56) / (axes - 1), area["y"] + area["height"] - 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(_FRAMES)
    steps = []
    for step in range(1, 25):
        page.mouse.move(x, y - 8 * step)
        steps.append(page.evaluate(_LONGEST))
    page.mouse.up()
    return round(statistics.median(steps), 1)


def main(counts: list[int]) -> None:
    """Measure each number of runs."""
    with chromium() as browser:
        rows = [_measure(browser, count) for count in counts]
    for row in (rows[0].keys(), *(row.values() for row in rows)):
        print("".join(f"{item!s:>12}" for item in row), file=sys.stderr)
    print(json.dumps(rows))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000])
