"""Short runs by several processes on one clone, gitml alone; prints runs per second as JSON."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time

from tests.benchmarks.work import log_run


def work(count: int) -> int:
    import gitml

    gitml.set_experiment("sweep")
    for number in range(count):
        log_run(gitml, number)
    return count


def sweep(processes: int, count: int) -> float:
    """Runs per second; starting the processes does not count."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(work, [1] * processes, chunksize=1)
        start = time.perf_counter()
        done = sum(pool.map(work, [count // processes] * processes, chunksize=1))
        return done / (time.perf_counter() - start)


if __name__ == "__main__":
    total = int(sys.argv[1])
    print(json.dumps({f"{n} processes": sweep(n, total // (1 if n > 1 else 4)) for n in (1, 8)}))
