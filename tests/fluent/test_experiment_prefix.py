"""A ``gitml.yaml`` below the root gives the scripts below it a name space of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.errors import InvalidInput
from tests.conftest import LIMIT

SCRIPT = """\
import gitml
{line}
with gitml.start_run() as run:
    print(gitml.get_experiment(run.info.experiment_id).name)
"""


def experiment_of(script: Path, started_in: Path, line: str = "") -> str:
    """The experiment that a script logs to."""
    script.write_text(SCRIPT.format(line=line))
    done = subprocess.run([sys.executable, str(script)], cwd=started_in, capture_output=True,
                          text=True, timeout=LIMIT)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_project(root: Path, folder: str, settings: str) -> Path:
    project = root / folder
    project.mkdir(parents=True)
    (project / "gitml.yaml").write_text(settings)
    return project


@pytest.mark.slow
def test_folder_of_the_script_decides_not_the_current_folder(repository: Path) -> None:
    prices = make_project(repository, "services/prices", "experiment_prefix: prices/\n")
    churn = make_project(repository, "services/churn", "")
    (churn / "jobs").mkdir()
    houses = "gitml.set_experiment('houses')"

    assert experiment_of(prices / "train.py", repository, houses) == "prices/houses"
    assert experiment_of(prices / "train.py", churn, houses) == "prices/houses"
    assert experiment_of(churn / "jobs" / "train.py", prices) == "services/churn/Default"
    assert experiment_of(repository / "train.py", prices, houses) == "houses"


def test_names_without_the_prefix_get_it_and_others_stay(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_project(repository, "prices", ""))

    assert gitml.set_experiment("houses").name == "prices/houses"
    assert gitml.set_experiment("prices/houses").name == "prices/houses"
    experiment = gitml.get_experiment_by_name("houses")
    assert experiment and experiment.name == "prices/houses"
    assert gitml.get_experiment(gitml.create_experiment("flats")).name == "prices/flats"
    with gitml.start_run():
        pass
    runs = gitml.search_runs(experiment_names=["houses"], output_format="list")
    assert len(runs) == 1
    assert gitml.MlflowClient().get_experiment_by_name("houses") is None


def test_prefix_of_the_root_holds_where_no_folder_has_a_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "gitml.yaml").write_text("experiment_prefix: team-\n")
    (repository / "jobs").mkdir()
    monkeypatch.chdir(repository / "jobs")

    assert gitml.set_experiment("houses").name == "team-houses"


def test_a_file_below_the_root_that_sets_more_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_project(repository, "prices", "branch: other\n"))

    with pytest.raises(InvalidInput, match=r"prices/gitml\.yaml sets more than experiment_prefix"):
        gitml.set_experiment("houses")
