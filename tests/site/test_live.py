"""A served site that changes: open pages follow it, and none is pulled away from a reader."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitml.site import SiteOptions, build
from gitml.site.serve import server
from tests.site.test_browser import count, experiment, until

pytestmark = pytest.mark.browser


@pytest.fixture
def live(options: SiteOptions, content: Any, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """A server, and what rebuilds its site with so many fewer runs than there are."""
    look, full = dataclasses.replace(options, live=50), content()

    def rebuild(fewer: int) -> Path:
        fewer_runs = dataclasses.replace(full, runs=full.runs[fewer:])
        return build(fewer_runs, tmp_path / "site", options=look).output

    with server(rebuild(2)) as listening:
        listening.generation = "1"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening, rebuild
        listening.shutdown()
        thread.join(120)


def test_an_open_page_shows_new_runs_by_itself(live: Any, page: Any) -> None:
    listening, rebuild = live
    with page.expect_response("**/generation.js*"):
        page.goto(listening.url)
    assert "70 runs" in page.locator("main").inner_text()
    rebuild(0)
    listening.generation = "2"
    until(lambda: "72 runs" in page.locator("main").inner_text(), True)


def test_site_built_twice_within_a_second_is_not_cached(
    live: Any, page: Any, tmp_path: Path
) -> None:
    listening, rebuild = live
    home, second = tmp_path / "site" / "index.html", (1_700_000_000, 1_700_000_000)
    os.utime(home, second)
    page.goto(listening.url)
    rebuild(0)
    os.utime(home, second)
    page.goto(listening.url + experiment(tmp_path / "site"))
    page.goto(listening.url)
    assert "72 runs" in page.locator("main").inner_text()


def test_page_in_use_offers_newer_content(live: Any, page: Any, tmp_path: Path) -> None:
    listening, rebuild = live
    with page.expect_response("**/generation.js*"):
        page.goto(listening.url + experiment(tmp_path / "site"))
    page.locator("#filter").fill("params.model = 'tree'")
    until(lambda: count(page), "19 of 58 runs")
    rebuild(0)
    listening.generation = "2"
    page.locator(".newer").wait_for()
    assert page.locator("#filter").input_value() == "params.model = 'tree'"
    page.get_by_role("button", name="Show").click()
    until(lambda: count(page), "20 of 60 runs")


def test_a_site_that_nobody_refreshes_does_not_ask(site: Path) -> None:
    assert list((site / "static").glob("live.*")) == []
    assert all("live" not in path.read_text() for path in site.glob("*.html"))
