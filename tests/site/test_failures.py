"""What readers see when a script is off, missing or torn: a sentence in its place, and the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitml.site import SiteOptions, build
from gitml.site.options import ShardSizes
from tests.site.test_browser import column, count, experiment, runs, until

pytestmark = pytest.mark.browser


@pytest.fixture
def cut_off(chromium: Any) -> Iterator[Any]:
    """A page on which nothing may be thrown; failing requests are up to the test."""
    context = chromium.new_context(viewport={"width": 1360, "height": 900})
    tab, thrown = context.new_page(), []
    tab.on("pageerror", lambda error: thrown.append(error.stack or str(error)))
    yield tab
    context.close()
    assert thrown == []


def fail(page: Any, name: str) -> None:
    page.route(f"**/{name}", lambda route: route.abort())


@pytest.mark.parametrize("name", ["vega.*.js", "specs.*.js"])
def test_charts_that_cannot_be_loaded_say_so(
    cut_off: Any, http: str, site: Path, name: str
) -> None:
    fail(cut_off, f"static/{name}")
    cut_off.goto(http + experiment(site))
    until(lambda: "cannot be loaded" in cut_off.locator("#parallel").inner_text(), True)
    assert count(cut_off) == "60 of 60 runs"
    assert len(column(cut_off, "run")) > 10


def test_a_run_whose_curves_cannot_be_loaded_shows_the_rest(
    cut_off: Any, http: str, site: Path
) -> None:
    run_id = runs(site)["tree-4"]
    fail(cut_off, f"data/runs/{run_id}.js")
    cut_off.goto(f"{http}runs/{run_id}.html")
    message = f"data/runs/{run_id}.js cannot be loaded. Reload the page to try again."
    until(lambda: cut_off.locator("#curves").inner_text(), message)
    assert cut_off.get_by_role("row", name="max_depth").is_visible()


def test_a_table_whose_first_shard_cannot_be_loaded_keeps_its_plain_rows(
    cut_off: Any, http: str, site: Path
) -> None:
    fail(cut_off, "data/fuel-*.js")
    cut_off.goto(http + experiment(site))
    until(lambda: "cannot be loaded" in cut_off.locator("#tools").inner_text(), True)
    assert cut_off.locator("#grid tbody tr").count() == 60


def test_a_table_shows_the_newest_runs_when_a_later_shard_cannot_be_loaded(
    cut_off: Any,
    content: Any,
    options: SiteOptions,
    tmp_path: Path,
) -> None:
    site = tmp_path / "site"
    build(content(), site, options=dataclasses.replace(options, sizes=ShardSizes(newest=10)))
    later = next((site / "data").glob("fuel-*-*-1.*.js"))
    later.unlink()
    cut_off.goto(f"{site.as_uri()}/{experiment(site)}")
    message = f"10 of 60 runs, data/{later.name} cannot be loaded, so the others are not shown"
    until(lambda: count(cut_off), message)


@pytest.mark.parametrize("name", ["ids/*.js", "runs/*.js"])
def test_runs_that_cannot_be_loaded_are_named_on_the_compare_page(
    cut_off: Any, http: str, site: Path, name: str
) -> None:
    first, second = runs(site)["tree-4"], runs(site)["forest-0"]
    fail(cut_off, f"data/{name}")
    cut_off.goto(f"{http}compare.html#{first},{second}")
    until(lambda: cut_off.locator("#trouble").is_visible(), True)
    assert first in cut_off.locator("#trouble").inner_text()


def test_every_page_can_be_read_without_scripts(
    chromium: Any, content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    build(content(12), site, options=dataclasses.replace(options, run_pages=6))
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    seen = {}
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        address = path.relative_to(site).as_posix()
        seen[address] = page.locator("main").inner_text()
        assert page.locator("main h1").inner_text().strip(), address
    assert "needs scripts" in seen["compare.html"]
    assert "gitml runs show RUN_ID" in seen["run.html"]
    assert "forest-0" in seen[experiment(site)]
    assert "max_depth" in seen[f"runs/{runs(site)['forest-0']}.html"]
    context.close()
