"""gitml registry verify on a promotion that was made for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, loaded, log_model, log_run
from tests.conftest import git

GATES = """\
model: Price
gates:
  Production:
    - metrics.rmse < 3.5
    - metrics.rmse <= 0.98 * production.metrics.rmse
"""


@pytest.fixture
def promoted(cli: Cli, repository: Path) -> Path:
    """Two versions that went to Production one after the other, past gates."""
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text(GATES)
    for version, rmse in (("1", 3.0), ("2", 2.0)):
        uri = log_model(repository, log_run(repository, rmse=rmse))
        cli("registry", "register", uri, "Price")
        cli("registry", "transition", "Price", version, "Production", "--archive-existing")
    return repository


def forged(folder: Path, tag: str, old: str, new: str) -> None:
    """Write the last tag of Production once more, with another text, as the newest event."""
    last = "Price#Production#4"
    text = git(folder, "cat-file", "tag", last).replace(f"tag {last}", f"tag {tag}")
    assert old in text
    lines = text.replace(old, new).replace("Price#Archived#3", last).split("\n")
    lines[3] = f"tagger Eve <eve@example.org> {int(lines[3].split()[-2]) + 1} +0000"
    lines[-1] = f"  id: '{git(folder, 'rev-parse', last)}'"
    (folder / "forged").write_text("\n".join(lines) + "\n")
    oid = git(folder, "hash-object", "-w", "-t", "tag", "forged")
    (folder / "forged").unlink()
    git(folder, "update-ref", f"refs/tags/{tag}", oid)


def test_verify_reports_the_checked_tags(cli: Cli, promoted: Path) -> None:
    assert (
        cli("registry", "verify").stdout
        == "Verified 6 tags (0 must be signed) of 1 model: 0 problems.\n"
    )
    assert loaded(cli("registry", "verify", "Price", "--json")) == {
        "holds": True, "tags": 6, "models": 1, "signed": 0, "faults": [], "foreign": [],
        "acknowledged": [],
    }  # fmt: skip
    assert "No registered model 'Other'" in cli("registry", "verify", "Other", code=3).stderr


def test_verify_lists_problems_and_exits_1(cli: Cli, promoted: Path) -> None:
    git(promoted, "tag", "-d", "Price#Archived#3")
    git(promoted, "tag", "Price@v9.0.0")

    result = cli("registry", "verify", code=1)
    assert result.stdout.startswith("Price#Archived#3: deleted. Price#Production#4 records it as ")
    assert result.stderr == (
        "Price@v9.0.0: foreign, not an annotated tag on a commit\n"
        "An accident that cannot be undone: `gitml registry acknowledge TAG -m WHY`.\n"
    )
    value = json.loads(cli("registry", "verify", "--json", code=1).stdout)
    assert (value["holds"], value["faults"][0]["problem"]) == (False, "deleted")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("metrics.rmse: 2.0", "metrics.rmse: 1.0", "is recorded as '2 < 3.5', not with its values"),
        ("holds: true", "holds: false", "is recorded as one that fails: 2 < 3.5"),
        ("metrics.rmse < 3.5", "metrics.rmse < ", "Invalid gate"),
        (
            "measured: 2 < 3.5\n  holds: true\n  values:\n    metrics.rmse: 2.0",
            "measured: 1 < 3.5\n  holds: true\n  values:\n    metrics.rmse: 1.0",
            "A gate was judged by metrics.rmse = 1.0; its run has 2.0.",
        ),
    ],
)
def test_verify_lists_gates_that_contradict_their_values(
    cli: Cli, promoted: Path, old: str, new: str, problem: str
) -> None:
    forged(promoted, "Price#Production#5", old, new)

    result = loaded_failure(cli)
    assert {fault["tag"] for fault in result} == {"Price#Production#5"}
    assert any(problem in fault["reason"] for fault in result)


def loaded_failure(cli: Cli) -> list[dict[str, str]]:
    faults: list[dict[str, str]] = json.loads(cli("registry", "verify", "--json", code=1).stdout)[
        "faults"
    ]
    return faults
