"""``examples/promotion.sh`` runs, and prints what the README says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.ci.runner import environment

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_example_of_a_promotion_prints_what_the_readme_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "promotion.sh"), str(tmp_path / "team")],
        capture_output=True, text=True, timeout=300, env=environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- examples/promotion\.sh -->\n```console\n(.*?)```", readme, re.DOTALL)
    assert block
    printed = iter(done.stdout.splitlines())
    for line in block[1].splitlines():
        assert line in printed, f"not printed, or not there: {line}"

    rows = [line.split("│")[2:4] for line in done.stdout.splitlines() if line.startswith("│ Price")]
    cells = [tuple(cell.strip() for cell in row) for row in rows]
    assert cells == [
        ("v2.0.0", "Production"), ("v1.0.0", "Archived"),
        ("v2.0.0", "Archived"), ("v1.0.0", "Production"),
    ]  # fmt: skip
    assert "Verified 10 tags (10 must be signed) of 1 model: 0 problems." in done.stdout
    assert done.stdout.endswith("(exit code 1)\n")
    assert "Traceback" not in done.stdout + done.stderr
