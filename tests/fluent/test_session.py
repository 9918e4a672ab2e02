"""The state behind the module functions: chosen, used and forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitml
from gitml.fluent.session import Session
from tests.conftest import make_repository


@pytest.fixture
def session(repository: Path) -> Session:
    """A session of its own, which logs to the repository."""
    session = Session()
    session.choose_repository(repository)
    return session


def test_reset_ends_open_runs_and_forgets_the_choices(session: Session, repository: Path) -> None:
    client = session.client()
    session.choose_experiment(client.create_experiment("house"))
    run_id = session.current().info.run_id

    session.reset()
    assert (session.runs(), session.last_run_id(), session.tracking_uri) == ([], None, None)
    run = gitml.MlflowClient(repository).get_run(run_id)
    assert (run.info.status, run.info.experiment_id) == ("FINISHED", "house")
    session.choose_repository(repository)
    assert session.existing_experiment_id() is None


def test_sessions_do_not_share_runs(session: Session, tmp_path: Path) -> None:
    other = Session()
    other.choose_repository(make_repository(tmp_path / "other"))
    run = session.current()

    assert (session.runs(), other.runs()) == ([run], [])
    with other.current():
        assert session.is_open(run)
    assert (session.runs(), other.runs()) == ([run], [])
    session.reset()


def test_active_run_ends_once(session: Session) -> None:
    with session.current() as run:
        session.end(run, "KILLED")

    assert session.client().get_run(run.info.run_id).info.status == "KILLED"
