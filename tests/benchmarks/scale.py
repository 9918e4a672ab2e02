"""What a repository with many runs costs, gitml alone; prints JSON. Argument: how many runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.loading import EXPERIMENT, load_gitml
from tests.benchmarks.work import median_ms, one_run

_ASKED = """
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


def asked(what: str, cwd: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of a new process."""
    command = [sys.executable, "-c", _ASKED.format(what=what)]
    done = subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE)
    spent, peak = json.loads(done.stdout)
    return spent, peak


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(count: int) -> dict[str, float]:
    import gitml

    here = Path.cwd()
    objects = here / ".git" / "objects"
    before = size(objects)
    start = time.perf_counter()
    load_gitml(count)
    found = {"load, runs/s": count / (time.perf_counter() - start)}
    found["disk, bytes/run"] = (size(objects) - before) / count
    found["index from nothing, s"], found["index memory, MB"] = asked(_INDEX, here)
    found["index, bytes/run"] = (here / ".git/gitml/index.sqlite3").stat().st_size / count
    found["search by a new process, s"], found["search memory, MB"] = asked(_SEARCH, here)
    gitml.set_experiment(EXPERIMENT)
    numbers = iter(range(1000))
    tip = git("rev-parse", "gitml/runs").decode().strip()
    one_run(gitml, next(numbers))
    found["whole run, ms"] = median_ms(lambda: one_run(gitml, next(numbers)), 20)
    new = git("rev-list", "--objects", "gitml/runs", f"^{tip}")
    sent = git("pack-objects", "--stdout", "--thin", "--revs", "-q",
               stdin=f"gitml/runs\n^{tip}\n".encode())  # fmt: skip
    assert new
    found["pushed, bytes/run"] = len(sent) / 21
    start = time.perf_counter()
    git("clone", "-q", here.as_uri(), "clone", cwd=here.parent)
    asked(_SEARCH, here.parent / "clone")
    found["clone to first search, s"] = time.perf_counter() - start
    start = time.perf_counter()
    with gitml.batch():
        for number in range(1000):
            one_run(gitml, number)
    found["gitml.batch(), runs/s"] = 1000 / (time.perf_counter() - start)
    return found


if __name__ == "__main__":
    os.environ.pop("GITML_TRACKING_URI", None)
    print(json.dumps(main(int(sys.argv[1]))))
