"""What a repository with many runs costs, gitml alone; prints JSON. Argument: how many runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.loading import EXPERIMENT, load_gitml
from tests.benchmarks.work import log_run, median_ms

_MEASURED = """
import json, resource, sys, time
import gitml
start = time.perf_counter()
client = gitml.MlflowClient()
{what}
spent = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([spent, peak]))
"""
_INDEX = "client.repository.index()"
_SEARCH = (
    f"client.search_runs([{EXPERIMENT!r}], \"metrics.m1 > 0.2 and params.p3 = '1'\","
    ' max_results=100, order_by=["metrics.m2"])'
)


def git(*args: str, cwd: Path | None = None, stdin: bytes | None = None) -> bytes:
    return subprocess.run(
        ["git", *args], cwd=cwd, input=stdin, check=True, stdout=subprocess.PIPE
    ).stdout


def measured(what: str, cwd: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of a new process."""
    command = [sys.executable, "-c", _MEASURED.format(what=what)]
    done = subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE)
    spent, peak = json.loads(done.stdout)
    return spent, peak


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(count: int) -> dict[str, float]:
    import gitml

    repository = Path.cwd()
    objects = repository / ".git" / "objects"
    before = size(objects)
    start = time.perf_counter()
    load_gitml(count)
    figures = {"load, runs/s": count / (time.perf_counter() - start)}
    figures["disk, bytes/run"] = (size(objects) - before) / count
    figures["index from nothing, s"], figures["index memory, MB"] = measured(_INDEX, repository)
    figures["index, bytes/run"] = (repository / ".git/gitml/index.sqlite3").stat().st_size / count
    figures["search by a new process, s"], figures["search memory, MB"] = measured(
        _SEARCH, repository
    )
    gitml.set_experiment(EXPERIMENT)
    numbers = iter(range(1000))
    tip = git("rev-parse", "gitml/runs").decode().strip()
    log_run(gitml, next(numbers))
    figures["whole run, ms"] = median_ms(lambda: log_run(gitml, next(numbers)), 20)
    new = git("rev-list", "--objects", "gitml/runs", f"^{tip}")
    sent = git("pack-objects", "--stdout", "--thin", "--revs", "-q",
               stdin=f"gitml/runs\n^{tip}\n".encode())  # fmt: skip
    assert new
    figures["pushed, bytes/run"] = len(sent) / 21
    start = time.perf_counter()
    git("clone", "-q", repository.as_uri(), "clone", cwd=repository.parent)
    measured(_SEARCH, repository.parent / "clone")
    figures["clone to first search, s"] = time.perf_counter() - start
    start = time.perf_counter()
    with gitml.batch():
        for number in range(1000):
            log_run(gitml, number)
    figures["gitml.batch(), runs/s"] = 1000 / (time.perf_counter() - start)
    return figures


if __name__ == "__main__":
    os.environ.pop("GITML_TRACKING_URI", None)
    print(json.dumps(main(int(sys.argv[1]))))
