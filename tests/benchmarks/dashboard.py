"""Measure the dashboard in Chromium; run by hand: python -m tests.benchmarks.dashboard 1000 10000.

For each number of runs (22 params and metrics, 9 attributes: 31 columns) it builds an experiment's
page, opens it from disk and prints a table to stderr and JSON to stdout. Times are ms of the
page's own clock since navigation began, or the median of several steps; ``parallel_ms`` is that of
drawing parallel coordinates anew, from a click in an axis's menu to the picture, Vega being loaded.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gitml.entities import Experiment
from gitml.site import Content, SiteOptions, build
from tests.browsers import chromium
from tests.site.conftest import make_run

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


def benchmark_content(count: int) -> Content:
    """Make one experiment of runs with 31 columns."""
    runs = [
        make_run(
            n,
            params={f"param_{k}": str((n * (k + 3)) % 17) for k in range(11)},
            metrics={f"metric_{k}": (n * 7919 + k * 31) % 1000 / 1000 for k in range(11)},
            tags={},
            summaries={},
        )
        for n in range(count)
    ]
    experiment_id = runs[0].info.experiment_id
    kept = [run for run in runs if run.info.experiment_id == experiment_id]
    return Content(
        title="Benchmark",
        experiments=[Experiment(experiment_id=experiment_id, name="bench")],
        runs=kept,
    )


def _measure(browser: Any, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        folder, before = Path(place) / "site", time.perf_counter()
        build(benchmark_content(count), folder, options=SiteOptions(run_pages=0))
        built = time.perf_counter() - before
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        page.add_init_script(_WATCH)
        page.goto(next((folder / "experiments").iterdir()).as_uri())
        while "all" not in (seen := page.evaluate("seen")):
            time.sleep(0.05)
        steps = [page.evaluate(_FILTER, f"metrics.metric_1 < 0.{k}") for k in range(1, 8)]
        page.evaluate(_FILTER, "")
        frames = _brush(page)
        drawn = statistics.median(page.evaluate(_FLIP) for _ in range(5))
        page.close()
    return {
        "runs": count, "build_s": round(built, 1), "site_mb": round(size / 1e6, 1),
        "usable_ms": round(seen["usable"]), "all_ms": round(seen["all"]),
        "filter_ms": round(statistics.median(steps), 1), "brush_ms": frames,
        "parallel_ms": round(drawn, 1),
    }  # fmt: skip


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
