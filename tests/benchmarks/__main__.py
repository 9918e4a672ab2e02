"""gitml beside MLflow: the same work, in turn, with the ratios."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 3
WORK = Path(__file__).with_name("work.py")
PEERS = ("gitml", "mlflow sqlite", "mlflow files")
ROWS = {
    "import": "import of the package, ms",
    "log_metric": "log_metric call, µs",
    "run": "whole run, 10 params, 5 metrics, ms",
    "search": "search, filtered and ordered, top 100 of 1,000, ms",
    "frame": "all 1,000 runs as a DataFrame, ms",
}


def measure(peer: str, folder: Path) -> dict[str, float]:
    """Let one program do the work in a folder of its own; medians by row."""
    folder.mkdir(parents=True)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"] = "Bench"
        environment[f"GIT_{role}_EMAIL"] = "bench@example.org"
    if peer == "gitml":
        for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
            subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    elif peer == "mlflow sqlite":
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    else:
        environment["MLFLOW_TRACKING_URI"] = folder.as_uri()
        environment["MLFLOW_ALLOW_FILE_STORE"] = "true"
    done = subprocess.run(
        [sys.executable, str(WORK), peer.split()[0]],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{peer} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Measure in turn, print a table of medians and ratios, write them as JSON."""
    rounds: dict[str, list[dict[str, float]]] = {peer: [] for peer in PEERS}
    for number in range(ROUNDS):
        for peer in PEERS:
            print(f"round {number + 1} of {ROUNDS}: {peer}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as scratch:
                rounds[peer].append(measure(peer, Path(scratch) / "work"))
    medians = {
        peer: {row: statistics.median(one[row] for one in found) for row in ROWS}
        for peer, found in rounds.items()
    }
    print(f"{'median of ' + str(ROUNDS):52} {'gitml':>10} {'sqlite':>10} {'files':>10}   ratios")
    for row, title in ROWS.items():
        ours, *theirs = (medians[peer][row] for peer in PEERS)
        ratios = "  ".join(f"{other / ours:7.1f}x" for other in theirs)
        print(f"{title:52} {ours:10.3f} {theirs[0]:10.3f} {theirs[1]:10.3f}   {ratios}")
    Path("bench.json").write_text(json.dumps(medians, indent=2) + "\n")


if __name__ == "__main__":
    main()
