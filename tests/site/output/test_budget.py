"""A site stays within its bytes, says what it left out, and works from an unpacked zip."""

from __future__ import annotations

import dataclasses
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from playwright.sync_api import expect

from gitml.errors import InvalidInput
from gitml.site import build
from gitml.site.options import SiteOptions
from gitml.site.output import budget


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def curves(folder: Path) -> int:
    return sum('id="curves"' in path.read_text() for path in folder.glob("runs/*.html"))


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_each_plan_shows_no_more_than_its_predecessor(runs: int, pages: int) -> None:
    plans = list(budget.plans(runs, pages))
    assert plans[0] == budget.Plan(pages=min(runs, pages), curves=runs)
    assert [plan.last for plan in plans] == [False] * (len(plans) - 1) + [True]
    for fuller, smaller in pairwise(plans):
        assert (fuller.pages, fuller.curves) >= (smaller.pages, smaller.curves)
        assert fuller.curves >= smaller.curves
    assert len(plans) <= 8


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> tuple[int, int]:
    """Size of the whole site, and of all but the runs' files."""
    from tests.site.conftest import make_source

    folder = tmp_path_factory.mktemp("sizes") / "site"
    whole = build(make_source(), folder, options=options).bytes
    return whole, whole - size(folder / "runs") - size(folder / "data" / "runs")


def test_curves_of_the_oldest_runs_go_first(
    content: Any, options: SiteOptions, sizes: tuple[int, int], tmp_path: Path
) -> None:
    whole, _ = sizes
    limited = dataclasses.replace(options, max_bytes=whole - 40_000)
    report = build(content(), tmp_path / "site", options=limited)
    assert report.bytes == size(tmp_path / "site") <= limited.max_bytes
    assert len(list(tmp_path.glob("site/runs/*.html"))) == 72
    assert curves(tmp_path / "site") == 18
    most = f"{limited.max_bytes / 1e6:.3g} MB"
    sentence = f"54 older runs are shown without curves (site.max_bytes, {most})."
    assert report.dropped == (sentence,)
    assert sentence in (tmp_path / "site" / "index.html").read_text()
    older = content().runs[40].info.run_id
    text = (tmp_path / "site" / "runs" / f"{older}.html").read_text()
    assert f"gitml metrics history {older} KEY" in text
    again = build(content(), tmp_path / "again", options=limited)
    assert (again.bytes, again.dropped) == (report.bytes, report.dropped)


def test_pages_of_older_runs_become_shards_next(
    content: Any, options: SiteOptions, sizes: tuple[int, int], tmp_path: Path
) -> None:
    _, rest = sizes
    limited = dataclasses.replace(options, max_bytes=rest + 190_000)
    report = build(content(), tmp_path / "site", options=limited)
    pages = len(list(tmp_path.glob("site/runs/*.html")))
    assert 3 <= pages < 72 and curves(tmp_path / "site") == 0
    assert report.bytes <= limited.max_bytes
    assert [re.sub(r"[0-9.]+ [kM]B", "…", text) for text in report.dropped] == [
        f"{72 - pages} older runs are shown without previews of their files (site.max_bytes, …).",
        "72 older runs are shown without curves (site.max_bytes, …).",
    ]


def test_build_reports_a_limit_that_cannot_be_met(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    report = build(
        content(), tmp_path / "site", options=dataclasses.replace(options, max_bytes=1_000)
    )
    assert report.dropped[-1].endswith(
        "although site.max_bytes is 1 kB: nothing more can be left out."
    )
    assert (tmp_path / "site" / "index.html").is_file()
    free = build(content(), tmp_path / "free", options=dataclasses.replace(options, max_bytes=0))
    assert free.dropped == ()


def test_an_attempt_that_is_too_large_leaves_nothing_behind_and_nothing_stale(
    content: Any, options: SiteOptions, sizes: tuple[int, int], tmp_path: Path
) -> None:
    full = content(run_oid=lambda key: key)
    limited = dataclasses.replace(options, max_bytes=sizes[0] - 40_000)
    build(full, tmp_path / "site", options=options)
    build(full, tmp_path / "site", options=limited)
    build(full, tmp_path / "fresh", options=limited)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "site"]
    names = {path.relative_to(tmp_path / "fresh") for path in (tmp_path / "fresh").rglob("*.*")}
    assert names == {
        path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*.*")
    }
    for name in names:
        assert (tmp_path / "site" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    assert build(full, tmp_path / "site", options=limited).written == 0


def test_a_negative_budget_is_refused(tmp_path: Path) -> None:
    from gitml import config

    (tmp_path / "gitml.yaml").write_text("site: {max_bytes: -1}")
    with pytest.raises(InvalidInput, match=r"site\.max_bytes must be 0 or greater, not -1"):
        config.load(tmp_path)


@pytest.mark.browser
def test_a_zip_of_the_site_opens_where_it_is_unpacked(
    page: Any, content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    few = dataclasses.replace(options, run_pages=20)
    build(content(), tmp_path / "site", options=few)
    packed = shutil.make_archive(str(tmp_path / "dashboard"), "zip", tmp_path / "site")
    shutil.rmtree(tmp_path / "site")
    elsewhere = tmp_path / "Another machine" / "Téléchargements #1"
    shutil.unpack_archive(packed, elsewhere)
    page.goto((elsewhere / "index.html").as_uri())
    page.get_by_role("link", name="fuel economy", exact=True).first.click()
    expect(page.locator("#count")).to_have_text("60 of 60 runs")
    page.locator("#filter").fill("run_name = 'tree-49'")
    expect(page.locator("#count")).to_have_text("1 of 60 runs")
    page.get_by_role("link", name="tree-49").click()
    expect(page.locator("h1")).to_have_text("tree-49")
    expect(page.locator("#panels canvas").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("FuelModel")
    expect(page.locator("dialog [role=option]").first.locator("b")).to_have_text("FuelModel")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("FuelModel")
