"""A script that changes its folder logs to the repository of the folder it is in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitml
from gitml.fluent.session import session
from tests.conftest import make_repository


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two repositories; the script is in the first."""
    first, second = make_repository(tmp_path / "first"), make_repository(tmp_path / "second")
    monkeypatch.chdir(first)
    yield first, second
    session.reset()


def names(repository: Path) -> list[str]:
    client = gitml.MlflowClient(repository)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return sorted(run.info.run_name for run in client.search_runs(ids))


def test_the_next_run_goes_to_the_repository_of_the_new_folder(
    repositories: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = repositories
    with gitml.start_run(run_name="a"):
        monkeypatch.chdir(second)
        gitml.log_metric("m", 1)  # to the run, where it began
        gitml.set_tag("t", 1)
    with gitml.start_run(run_name="b"):
        pass

    assert (names(first), names(second)) == (["a"], ["b"])


def test_a_repository_made_below_the_folder_is_used_from_then_on(
    repositories: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = repositories
    inner = first / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    with gitml.start_run(run_name="a"):
        pass
    make_repository(inner)
    with gitml.start_run(run_name="b"):
        pass

    assert (names(first), names(inner)) == (["a"], ["b"])


def test_a_repository_that_was_made_anew_is_used(repositories: tuple[Path, Path]) -> None:
    first, _ = repositories
    with gitml.start_run(run_name="a"):
        pass
    (first / ".git").rename(first.parent / "away")
    make_repository(first / "x")
    shutil.move(first / "x" / ".git", first / ".git")
    with gitml.start_run(run_name="b"):
        pass

    assert names(first) == ["b"]


@pytest.mark.parametrize("uri", ["../second", "file:../second", "gitml:../second"])
def test_a_relative_uri_is_relative_to_where_it_was_set(
    repositories: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uri: str
) -> None:
    first, second = repositories
    gitml.set_tracking_uri(uri)
    monkeypatch.chdir(tmp_path)
    with gitml.start_run(run_name="a"):
        pass
    monkeypatch.chdir(first)
    with gitml.start_run(run_name="b"):
        pass

    assert (names(first), names(second)) == ([], ["a", "b"])


def test_the_chosen_repository_wins_over_the_folder(
    repositories: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = repositories
    monkeypatch.setenv("GITML_TRACKING_URI", str(second))
    with gitml.start_run(run_name="a"):
        pass
    gitml.set_tracking_uri(first)
    monkeypatch.chdir(second)
    with gitml.start_run(run_name="b"):
        pass

    assert (names(first), names(second)) == (["b"], ["a"])
