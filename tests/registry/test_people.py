"""Who merged and who approved is named beside the robot that tagged."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.entities import Stage
from gitml.registry.promotion import consider
from gitml.registry.promotion.markdown_report import markdown
from gitml.registry.tags.detail import TagDetail
from tests.cli.conftest import shell
from tests.clones import models, register
from tests.conftest import git, make_repository

WHO = "Bo merged, Cy approved, release-bot tagged"


@pytest.fixture
def promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version that a robot let into Production because Bo merged that, and a candidate."""
    folder = make_repository(tmp_path / "project")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "release-bot")
    register(folder)
    register(folder)
    for version in (1, 2, 1):
        detail = TagDetail.of(merged_by="Bo <bo@example.org>", approved_by=["Cy"])
        models(folder).enter("Price", version, Stage.PRODUCTION, detail, reason="better")
    return folder


def test_history_names_them(promoted: Path) -> None:
    printed = shell("registry", "history", "Price", cwd=promoted).stdout

    assert printed.count(WHO) == 3
    assert any(line.endswith("  release-bot") for line in printed.splitlines())  # registrations


def test_the_report_names_them(promoted: Path) -> None:
    report = markdown(consider(models(promoted), "Price", 2, Stage.PRODUCTION))

    assert f"`{WHO}`" in report


@pytest.mark.slow
def test_the_dashboard_names_them(promoted: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert shell("site", "build", "--output", str(site), cwd=promoted).returncode == 0

    (path,) = (site / "models").glob("price-*.html")
    page = path.read_text()
    assert WHO in page  # the history
    assert "Bo merged, release-bot tagged" in page  # stages over time, with a column of approvers
    assert WHO in (site / "index.html").read_text()
    assert git(promoted, "status", "--short") == ""
