"""A writer that is killed loses nothing it was told is logged; the next command cleans up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def trials(folder: Path, count: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", str(folder), "--trials", str(count),
         "--seed", str(seed)],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.slow
def test_a_sample_of_killed_writers_leaves_everything_whole(tmp_path: Path) -> None:
    report = trials(tmp_path / "work", 20, 1)

    assert (report["trials"], report["bad"]) == (20, [])


@pytest.mark.soak
def test_killed_writers_leave_everything_whole(tmp_path: Path) -> None:
    report = trials(tmp_path / "work", 500, 2)

    print(json.dumps({**report, "bad": len(report["bad"])}, indent=2))
    assert (report["trials"], report["bad"]) == (500, [])
    assert set(report["phases"]) >= {
        "logging", "artifact staging", "cache writing", "fast-import", "ref update",
        "index update", "push",
    }  # fmt: skip
