"""gitml beside MLflow and GTO: the same work, with the ratios; then gitml as a clone grows."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = ("gitml", "mlflow sqlite", "mlflow files")
ROWS = {
    "import": "import of the package, ms",
    "log_metric": "log_metric call, µs",
    "run": "whole run, 10 params, 5 metrics, ms",
    "load": "loading, µs per run",
    "search": "search, filtered and ordered, top 100 of {count:,}, ms",
    "frame": "all {count:,} runs as a DataFrame, ms",
}


def measure(peer: str, program: str, *args: str) -> dict[str, float]:
    """Let one program do some work in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "work"
        folder.mkdir()
        environment = _environment(peer, folder)
        if peer == "gitml":
            for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
                subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
        print(f"{peer}: {program} {' '.join(args)}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{program}", *args],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{peer} failed:\n{done.stderr}")
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return result


def _environment(peer: str, folder: Path) -> dict[str, str]:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"] = "Bench"
        environment[f"GIT_{role}_EMAIL"] = "bench@example.org"
    if peer == "mlflow sqlite":
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    elif peer == "mlflow files":
        environment["MLFLOW_TRACKING_URI"] = folder.as_uri()
        environment["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return environment


def compare(rounds: int, count: int) -> dict[str, dict[str, float]]:
    """Medians by peer and row."""
    measurements: dict[str, list[dict[str, float]]] = {peer: [] for peer in PEERS}
    for _ in range(rounds):
        for peer in PEERS:
            measurements[peer].append(measure(peer, "work", "calls", peer.split()[0]))
    medians = {
        peer: {row: statistics.median(measurement[row] for measurement in all_) for row in all_[0]}
        for peer, all_ in measurements.items()
    }
    for peer in PEERS:
        medians[peer] |= measure(peer, "work", "searches", peer.split()[0], str(count))
    return medians


def main() -> None:
    """Measure, print tables, write everything as JSON."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round and fewer runs")
    parser.add_argument("--rounds", type=int, help="of the rows that measure single calls")
    parser.add_argument("--runs", type=int, help="of both; default 10,000, 0: gitml alone")
    parser.add_argument("--sizes", default="", help="of gitml alone; default 100,10000,100000")
    parser.add_argument("--json", default="bench.json", metavar="PATH", help="where figures go")
    given = parser.parse_args()
    rounds = given.rounds or (1 if given.quick else 3)
    count = (1_000 if given.quick else 10_000) if given.runs is None else given.runs
    sizes = given.sizes or ("100,1000" if given.quick else "100,10000,100000")
    result: dict[str, object] = {"count": count}
    if count:
        medians = result["beside MLflow"] = compare(rounds, count)
        _print_ratios(medians, count)
    alone = result["gitml alone"] = {
        size: measure("gitml", "scale", size) for size in sizes.split(",")
    }
    _print_sizes(alone)
    swept = result["sweep"] = measure("gitml", "sweep", "80" if given.quick else "1000")
    print("\n" + ", ".join(f"{name}: {speed:.0f} runs/s" for name, speed in swept.items()))
    tags = result["registry"] = measure("gitml", "tags", "1000" if given.quick else "10000")
    _print_tags(tags)
    Path(given.json).write_text(json.dumps(result, indent=2) + "\n")


def _print_ratios(medians: dict[str, dict[str, float]], count: int) -> None:
    print(f"{'':58} {'gitml':>10} {'sqlite':>10} {'files':>10}   ratios")
    for row, title in ROWS.items():
        own, *others = (medians[peer][row] for peer in PEERS)
        ratios = "  ".join(f"{other / own:7.1f}x" for other in others)
        line = " ".join(f"{value:10.3f}" for value in (own, *others))
        print(f"{title.format(count=count):58} {line}   {ratios}")


def _print_sizes(alone: dict[str, dict[str, float]]) -> None:
    print(f"\n{'gitml alone, runs':58} " + " ".join(f"{int(size):10,}" for size in alone))
    for row in next(iter(alone.values())):
        print(f"{row:58} " + " ".join(f"{figures[row]:10,.3f}" for figures in alone.values()))


def _print_tags(figures: dict[str, float]) -> None:
    print(f"\n{'registry, tags':58} {int(figures['tags']):10,}")
    for row, spent in figures.items():
        if row != "tags":
            print(f"{row:58} {spent:10,.3f}")


if __name__ == "__main__":
    main()
