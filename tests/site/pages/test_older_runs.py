"""Runs without a page of their own: every id has an address that shows the run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitml.site import SiteOptions, build
from gitml.site.options import ShardSizes
from tests.site.conftest import served
from tests.site.test_browser import until

PAGED = 10


@pytest.fixture(scope="module")
def runs() -> list[Any]:
    from tests.site.conftest import make_source

    return list(make_source().runs)


@pytest.fixture(scope="module")
def older_site(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> Path:
    from tests.site.conftest import make_source

    folder = tmp_path_factory.mktemp("older") / "site"
    build(make_source(), folder, options=dataclasses.replace(options, run_pages=PAGED))
    return folder


@pytest.fixture(scope="module")
def older_http(older_site: Path) -> Iterator[str]:
    with served(older_site) as address:
        yield address


@pytest.fixture(params=["file", "http"])
def home(request: pytest.FixtureRequest, older_site: Path, older_http: str) -> str:
    return f"{older_site.as_uri()}/" if request.param == "file" else older_http


def run_with_curves(runs: list[Any]) -> Any:
    return next(r for r in runs[PAGED:] if r.info.run_name == "tree-16")


def heading(page: Any) -> str:
    return page.locator("h1").inner_text()


@pytest.mark.browser
def test_older_run_has_its_curves_and_the_focus(page: Any, home: str, runs: list[Any]) -> None:
    run = run_with_curves(runs)
    page.goto(f"{home}run.html#{run.info.run_id}")
    until(lambda: heading(page), "tree-16")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.title() == "tree-16 · Fuel & weather"
    crumbs = page.locator(".bar nav a").all_inner_texts()
    assert crumbs == ["Fuel & weather", "fuel economy"]
    assert page.get_by_role("row", name="max_depth").is_visible()
    page.locator("#curves").scroll_into_view_if_needed()
    until(lambda: page.locator("#panels canvas").count() > 0, True)
    other = runs[-1]
    page.evaluate(f"location.hash = '{other.info.run_id}'")
    until(lambda: heading(page), other.info.run_name)
    page.keyboard.press("Tab")
    page.go_back()
    until(lambda: heading(page), "tree-16")
    page.locator("#curves").scroll_into_view_if_needed()
    until(lambda: page.locator("#panels canvas").count() > 0, True)
    page.get_by_label("log y").check()
    assert page.url == f"{home}run.html#{run.info.run_id}&log=on"
    page.reload()
    page.locator("#curves").scroll_into_view_if_needed()
    until(lambda: page.get_by_label("log y").is_checked(), True)
    page.go_back()
    until(lambda: page.get_by_label("log y").is_checked(), False)
    assert heading(page) == "tree-16"


@pytest.mark.browser
def test_the_skip_link_keeps_the_address_of_the_run(page: Any, home: str, runs: list[Any]) -> None:
    run_id = runs[-1].info.run_id
    page.goto(f"{home}run.html#{run_id}")
    until(lambda: heading(page), runs[-1].info.run_name)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    until(lambda: page.evaluate("document.activeElement.id"), "main")
    assert page.url == f"{home}run.html#{run_id}"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("fragment", "title"),
    [
        ("f" * 32, "This run is not in the site"),
        ("__proto__", "No run is named"),
        ("", "No run is named"),
    ],
)
def test_unknown_run_is_explained(page: Any, home: str, fragment: str, title: str) -> None:
    page.goto(f"{home}run.html#{fragment}")
    until(lambda: heading(page), title)
    assert page.locator("pre").inner_text().startswith("gitml runs show ")


@pytest.mark.browser
def test_run_with_its_own_page_opens_under_both_addresses(
    page: Any, home: str, runs: list[Any]
) -> None:
    run = runs[0]
    page.goto(f"{home}run.html#{run.info.run_id}")
    until(lambda: page.url, f"{home}runs/{run.info.run_id}.html")
    until(lambda: heading(page), run.info.run_name)
    page.goto("about:blank")
    page.goto(f"{home}run.html#{run.info.run_id}&smooth=0.5&log=on")
    until(lambda: page.url, f"{home}runs/{run.info.run_id}.html#smooth=0.5&log=on")


@pytest.mark.browser
def test_the_table_links_older_runs_and_they_can_be_compared(
    page: Any, home: str, older_site: Path, runs: list[Any]
) -> None:
    first, second = runs[0], run_with_curves(runs)
    table = next((older_site / "experiments").glob("fuel-*")).name
    page.goto(f"{home}experiments/{table}#q=run_name+%3D+'tree-16'")
    page.get_by_role("link", name="tree-16").click()
    until(lambda: page.url, f"{home}run.html#{second.info.run_id}")
    page.goto(f"{home}compare.html#{first.info.run_id},{second.info.run_id},{'f' * 32}")
    until(lambda: heading(page), "Compare 2 runs")
    assert page.locator("#trouble").inner_text() == f"Not in this site: {'f' * 32}."
    links = page.locator("#side thead th > a").evaluate_all("all => all.map(a => a.href)")
    assert links == [f"{home}runs/{first.info.run_id}.html", f"{home}run.html#{second.info.run_id}"]


@pytest.mark.browser
def test_link_to_a_removed_page_leads_to_the_run(
    chromium: Any, older_http: str, runs: list[Any]
) -> None:
    page = chromium.new_page()  # the answer 404 is an error in the console
    run = runs[-1]
    page.goto(f"{older_http}runs/{run.info.run_id}.html#log=on")
    until(lambda: heading(page), run.info.run_name)
    assert page.url == f"{older_http}run.html?moved#{run.info.run_id}&log=on"
    page.goto(f"{older_http}runs/{'e' * 32}.html")
    until(lambda: heading(page), "This run is not in the site")
    page.close()


@pytest.mark.browser
def test_older_run_names_a_script_that_cannot_be_loaded(
    chromium: Any, older_http: str, runs: list[Any]
) -> None:
    page = chromium.new_page()
    page.route("**/data/older/0.js", lambda route: route.abort())
    page.goto(f"{older_http}run.html#{runs[-1].info.run_id}")
    until(lambda: heading(page), "This run could not be loaded")
    assert "data/older/0.js cannot be loaded" in page.locator("#main").inner_text()
    page.close()


@pytest.mark.browser
def test_hostile_older_runs_do_nothing_but_show(
    page: Any, hostile: Any, options: SiteOptions, tmp_path: Path
) -> None:
    content = hostile()
    build(content, tmp_path / "site", options=dataclasses.replace(options, run_pages=0))
    for run in content.runs:
        page.goto(f"{(tmp_path / 'site').as_uri()}/run.html#{run.info.run_id}")
        until(lambda run=run: page.locator("main .facts code.quiet").inner_text(), run.info.run_id)
    assert page.locator("main script, main [onerror], main iframe").count() == 0
    assert page.evaluate("typeof polluted + typeof ({}).value") == "undefined" * 2


def test_full_shards_stay_when_runs_are_added(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    few = dataclasses.replace(options, run_pages=PAGED, sizes=ShardSizes(older=16))
    full = content(run_oid=lambda key: key, models=[])
    fewer = dataclasses.replace(full, runs=full.runs[3:])
    build(fewer, tmp_path / "site", options=few)
    older = tmp_path / "site" / "data" / "older"
    before = {path.name: path.read_bytes() for path in older.iterdir()}
    read: list[str] = []
    watched = dataclasses.replace(full, history=lambda key: read.append(key) or [])
    build(watched, tmp_path / "site", options=few)
    after = {path.name: path.read_bytes() for path in older.iterdir()}
    assert sorted(after) == [f"{n}.js" for n in range(4)]
    assert {name for name in before if after[name] == before[name]} == {"0.js", "1.js", "2.js"}
    assert len(read) == 3 + (72 - PAGED) % 16


def test_every_id_is_placed_and_the_files_stay_small(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    few = dataclasses.replace(options, run_pages=PAGED, sizes=ShardSizes(ids=20))
    build(content(), tmp_path / "site", options=few)
    files = sorted((tmp_path / "site" / "data" / "ids").iterdir())
    assert [path.name for path in files] == [f"{n:x}.js" for n in range(16)]
    numbers = {
        path.stem + rest: int(number)
        for path in files
        for rest, number in re.findall(r'"([0-9a-f]{31})":(-?\d+)', path.read_text())
    }
    expected = {run.info.run_id: -1 if n < PAGED else 0 for n, run in enumerate(content().runs)}
    assert numbers == expected
