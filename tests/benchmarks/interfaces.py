"""The dashboard beside MLflow's UI; run by hand: python -m tests.benchmarks.interfaces 1000.

Both show an experiment of as many runs (10 params, 5 metrics each) in the same Chromium with an
empty cache: gitml's page from disk, MLflow's from its server on loopback, from SQLite. Prints how
many rows can be scrolled to, ms from navigation to the first row, and bytes taken. MLflow comes
from ``.venv-bench``, which `make bench` makes; another one's Python is named by ``MLFLOW_PYTHON``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitml.entities import Experiment
from gitml.site import SiteOptions, build
from tests.benchmarks.loading import EXPERIMENT, made
from tests.browsers import chromium
from tests.site.memory_source import MemorySource

ROOT = Path(__file__).parents[2]
WAIT = 60  # s, for a server or a row
SETTLE = 5  # s, for the rest of what a page takes
_ROWS = {"gitml": "#grid tbody tr[aria-rowindex]", "mlflow": ".ag-row"}
_WATCH = """
const look = () => {
  if (document.querySelector(%s)) window.usable = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
_COUNT = {
    "gitml": "Number(document.querySelector('#grid table').getAttribute('aria-rowcount')) - 1",
    "mlflow": """new Set([...document.querySelectorAll(".ag-row:not(.ag-full-width-row)")]
      .map(row => row.getAttribute("row-id"))).size""",
}


def look(browser: Any, name: str, address: str) -> dict[str, float]:
    """Open a table of runs and measure it."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    page, taken = context.new_page(), []
    watch = context.new_cdp_session(page)
    watch.send("Network.enable")
    watch.on("Network.loadingFinished", lambda event: taken.append(event["encodedDataLength"]))
    page.add_init_script(_WATCH % json.dumps(_ROWS[name]))
    page.goto(address)
    end = time.monotonic() + WAIT
    while (usable := page.evaluate("window.usable")) is None:
        if time.monotonic() > end:
            raise SystemExit(f"{name} showed no row within {WAIT} s.")
        time.sleep(0.05)
    time.sleep(SETTLE)
    rows = page.evaluate(_COUNT[name])
    context.close()
    return {"rows": rows, "usable_ms": round(usable), "bytes": round(sum(taken))}


def gitml(browser: Any, count: int) -> dict[str, float]:
    """Measure the dashboard, opened from disk; its bytes are those of the files that it loaded."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "site"
        runs = [files.record.run for files in made(EXPERIMENT, count)][::-1]
        experiment = Experiment(experiment_id=EXPERIMENT, name=EXPERIMENT)
        source = MemorySource(title="Benchmark", experiments=[experiment], runs=runs)
        build(source, folder, options=SiteOptions(run_pages=0))
        address = next((folder / "experiments").iterdir()).as_uri()
        return look(browser, "gitml", address)


def mlflow(browser: Any, count: int) -> dict[str, float]:
    """Measure MLflow's UI."""
    with tempfile.TemporaryDirectory() as temporary:
        program = os.environ.get("MLFLOW_PYTHON") or str(ROOT / ".venv-bench" / "bin" / "python")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_TRACKING_URI": f"sqlite:///{temporary}/mlflow.db",
        }
        load = (
            "from tests.benchmarks.loading import EXPERIMENT, load\n"
            "import mlflow\n"
            "number = mlflow.create_experiment(EXPERIMENT)\n"
            f"load('mlflow', {count})\n"
            "print(number)"
        )
        done = subprocess.run(
            [program, "-c", load], env=environment, check=True, capture_output=True, text=True
        )
        number = done.stdout.split()[-1]
        with _served(program, environment, temporary) as base:
            return look(browser, "mlflow", f"{base}/#/experiments/{number}/runs")


@contextmanager
def _served(program: str, environment: dict[str, str], folder: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", environment["MLFLOW_TRACKING_URI"], "--workers", "1"]
    with open(Path(folder) / "log", "wb") as log:
        server = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _wait(address: str) -> None:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"MLflow's server did not answer within {WAIT} s.")


def main(count: int) -> None:
    """Measure both and print them beside one another."""
    with chromium() as browser:
        figures = {"gitml": gitml(browser, count), "mlflow": mlflow(browser, count)}
    print(f"{count:>10,} runs" + "".join(f"{key:>12}" for key in figures["gitml"]), file=sys.stderr)
    for name, row in figures.items():
        print(f"{name:15}" + "".join(f"{value:>12,}" for value in row.values()), file=sys.stderr)
    print(json.dumps({"runs": count, **figures}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000)
