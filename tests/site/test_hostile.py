"""Hostile content in a real browser: it shows, and does nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.site.hostile import ATTACK, LONGEST, NUMBERLESS, TEXTS, WIDE, run_id
from tests.site.test_browser import column, count, until

pytestmark = pytest.mark.browser


@pytest.fixture(params=["file", "http"])
def home(request: pytest.FixtureRequest, hostile_site: Path, hostile_http: str) -> str:
    """Address of the hostile site, with a slash at the end."""
    return f"{hostile_site.as_uri()}/" if request.param == "file" else hostile_http


def attacked(site: Path) -> str:
    """Address of the experiment whose runs are named for attacks."""
    pages = sorted(
        (site / "experiments").iterdir(), key=lambda path: path.read_text().count("<tr>")
    )
    return pages[-1].relative_to(site).as_posix()


def addresses(site: Path) -> list[str]:
    """Give every page, but of the runs that differ in nothing but their name only three."""
    addresses = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    alike = {f"runs/{run_id(number)}.html" for number in range(3, len(TEXTS))}
    return sorted(addresses - alike - {"404.html", "sandbox.html"})  # these are tested elsewhere


OPEN = """document.querySelectorAll("details:not(.menu, .sandboxed)").forEach(box => {
  box.open = true })"""
WHOLE = """() => !!document.querySelector("main h1").textContent.trim()
  && document.body.lastElementChild.matches("footer, .tip")
  && document.title !== "acted"
  && document.documentElement.scrollWidth <= innerWidth
  && typeof vega + typeof polluted + typeof ({}).value === "undefined".repeat(3)"""


def whole(page: Any) -> bool:
    """Tell whether a page came to its end, kept its frame, and nothing took it over."""
    return bool(page.evaluate(WHOLE))


def test_every_page_shows_hostile_texts_and_does_nothing_else(
    page: Any, home: str, hostile_site: Path
) -> None:
    for address in addresses(hostile_site):
        page.goto(home + address)
        page.evaluate(OPEN)
        page.mouse.wheel(0, 20_000)
        page.evaluate("new Promise(done => requestIdleCallback(() => requestIdleCallback(done)))")
        assert whole(page), address


def test_the_table_charts_and_filter_take_hostile_names(
    page: Any, home: str, hostile_site: Path
) -> None:
    page.goto(home + attacked(hostile_site))
    until(lambda: count(page), "11 of 11 runs")
    assert page.locator("h1").inner_text() == ATTACK
    assert ATTACK in column(page, "run")
    for word in (f"params.`{ATTACK}` LIKE '%onerror%'", "params.__proto__ IS NOT NULL"):
        page.locator("#filter").fill(word)
        until(lambda: count(page), "11 of 11 runs")
    page.locator("#filter").fill("metrics.`val.acc[0]` > 3 AND metrics.inf > 1")
    until(lambda: count(page), "3 of 11 runs")
    page.locator("#scatter").scroll_into_view_if_needed()
    page.locator("#scatter canvas").wait_for()
    page.locator("#columns summary").click()
    assert whole(page)


def test_hostile_runs_are_compared(page: Any, home: str, hostile_site: Path) -> None:
    ids = [run_id(number) for number in (*range(len(TEXTS)), WIDE, LONGEST, NUMBERLESS)]
    page.goto(f"{home}compare.html#{','.join(ids)}")
    until(lambda: page.locator("h1").inner_text(), f"Compare {len(ids)} runs")
    for chart in ("#parallel", "#scatter", "#panels"):
        page.locator(chart).scroll_into_view_if_needed()
        page.locator(f"{chart} canvas").first.wait_for()
    assert whole(page)


def test_a_run_with_five_thousand_params_shows_them_in_a_box_of_their_own(
    page: Any, hostile_site: Path
) -> None:
    page.goto(f"{hostile_site.as_uri()}/runs/{run_id(WIDE)}.html")
    assert page.get_by_role("region", name="Parameters").locator("tbody tr").count() == 5_000
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000


def test_a_page_of_a_run_runs_in_a_frame_that_reaches_nothing(
    chromium: Any, home: str, hostile_site: Path
) -> None:
    context = chromium.new_context()
    page, wrong, refused = context.new_page(), [], []  # what the frame tries is said in the console
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    page.goto(f"{home}runs/{run_id(0)}.html")
    address, title = page.url, page.title()
    page.locator(".sandboxed summary").first.click()
    frame = page.frame_locator(".sandboxed iframe")
    until(lambda: frame.locator("h1").inner_text(), "A report")
    until(lambda: frame.locator("body").get_attribute("data-acted"), "yes")
    assert frame.locator("body").get_attribute("data-parent") == "out of reach"
    frame.locator("button").click()
    for link in frame.locator("a").all():
        link.click()
    assert (page.url, page.title(), wrong) == (address, title, [])
    assert {why for url, why in refused} == {"csp"}
    context.close()


def test_the_sandbox_shows_nothing_when_it_is_opened_by_itself(page: Any, home: str) -> None:
    page.goto(f"{home}sandbox.html")
    page.evaluate("postMessage('<h1>taken over</h1>', '*')")
    assert page.locator("h1").inner_text() == "Sandbox"
