"""The dashboard in a second engine, from disk and over HTTP."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site.firefox import Firefox
from tests.site.hostile import ATTACK, LONGEST, NUMBERLESS, TEXTS, WIDE, run_id
from tests.site.test_browser import experiment, runs
from tests.site.test_hostile import OPEN, WHOLE, addresses, attacked

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    path = os.environ.get("GITML_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if not path:
        pytest.skip("no Firefox: install it, or set GITML_FIREFOX")
    with Firefox(path) as browser:
        yield browser


@pytest.fixture
def page(firefox: Firefox) -> Iterator[Firefox]:
    """The browser; the test fails on a console error or a request elsewhere."""
    yield firefox
    firefox.goto("about:blank")
    # A page that is left ends what it was still loading, and says so.
    assert [text for text in firefox.wrong() if not text.endswith("cannot be loaded")] == []


@pytest.fixture(params=["file", "http"])
def home(request: pytest.FixtureRequest, site: Path, http: str) -> str:
    return f"{site.as_uri()}/" if request.param == "file" else http


@pytest.fixture(params=["file", "http"])
def hostile_home(request: pytest.FixtureRequest, hostile_site: Path, hostile_http: str) -> str:
    return f"{hostile_site.as_uri()}/" if request.param == "file" else hostile_http


def heading(page: Firefox) -> str:
    return page.texts("h1")[0]


def count(page: Firefox) -> str:
    return "".join(page.texts("#count"))


def test_the_table_is_filtered_sorted_and_linked(page: Firefox, home: str, site: Path) -> None:
    page.goto(home + experiment(site))
    page.until(lambda: count(page), "60 of 60 runs")
    page.fill("#filter", "params.model = 'tree' AND metrics.rmse < 3")
    page.until(lambda: count(page), "6 of 60 runs")
    page.click('[data-column="metrics.rmse"] button')
    names = page.texts("#grid tbody tr > :nth-child(2)")
    address = page.address
    page.back()
    page.until(lambda: page.texts('[aria-sort="ascending"]'), [])
    page.goto("about:blank")
    page.goto(address)
    page.until(lambda: page.texts("#grid tbody tr > :nth-child(2)"), names)


def test_charts_are_drawn_and_runs_compared(page: Firefox, home: str, site: Path) -> None:
    ids = runs(site)
    chosen = ",".join(ids[name] for name in ("forest-0", "tree-1", "tree-7"))
    page.goto(f"{home}compare.html#{chosen},{'f' * 32}")
    page.until(lambda: heading(page), "Compare 3 runs")
    page.until(lambda: page.texts("#trouble"), [f"Not in this site: {'f' * 32}."])
    for chart in ("#parallel", "#scatter", "#panels"):
        page.js("document.querySelector(arguments[0]).scrollIntoView()", chart)
        page.until(lambda chart=chart: bool(page.texts(f"{chart} canvas")), True)


def test_run_page_draws_curves_and_saves_the_theme(page: Firefox, home: str, site: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.goto(f"{home}runs/{runs(site)['tree-4']}.html")
    page.js("document.getElementById('curves').scrollIntoView()")
    names = "[...document.querySelectorAll('figcaption')].map(c => c.firstChild.textContent)"
    page.until(lambda: page.js(names), ["loss", "rmse"])
    page.until(lambda: len(page.texts("#panels canvas")), 2)
    before = page.js(background)
    page.click("#theme")
    if home.startswith("http"):  # from disk, Firefox gives every file a storage of its own
        page.goto(home + "index.html")
    else:
        page.reload()
    assert page.js(background) != before
    page.click("#theme")
    assert page.js(background) == before


def test_every_page_shows_hostile_texts_and_does_nothing_else(
    page: Firefox, hostile_home: str, hostile_site: Path
) -> None:
    for address in addresses(hostile_site):
        page.goto(hostile_home + address)
        page.js(OPEN)
        page.until(lambda: page.js(f"({WHOLE})()"), True)


def test_hostile_runs_are_filtered_and_compared(
    page: Firefox, hostile_home: str, hostile_site: Path
) -> None:
    page.goto(hostile_home + attacked(hostile_site))
    page.until(lambda: count(page), "11 of 11 runs")
    page.fill("#filter", f"params.`{ATTACK}` LIKE '%onerror%' AND metrics.`val.acc[0]` > 3")
    page.until(lambda: count(page), "3 of 11 runs")
    ids = [run_id(number) for number in (*range(len(TEXTS)), WIDE, LONGEST, NUMBERLESS)]
    page.goto(f"{hostile_home}compare.html#{','.join(ids)}")
    page.until(lambda: heading(page), f"Compare {len(ids)} runs")
    page.js("document.getElementById('panels').scrollIntoView()")
    page.until(lambda: bool(page.texts("#panels canvas")), True)


def test_logged_page_is_framed(page: Firefox, hostile_home: str) -> None:
    page.goto(f"{hostile_home}runs/{run_id(0)}.html")
    title = page.js("document.title")
    page.click(".sandboxed summary")
    page.until(lambda: len(page.texts(".sandboxed iframe")), 1)
    page.until(lambda: page.in_frame("iframe", "document.body?.dataset.acted"), "yes")
    assert page.in_frame("iframe", "document.body.dataset.parent") == "out of reach"
    assert page.js("document.title") == title
    page.goto("about:blank")
    assert not [text for text in page.wrong() if text.startswith("request")]
