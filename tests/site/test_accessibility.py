"""The dashboard for everyone: axe, the keyboard alone, small screens, paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitml.site import SiteOptions, build
from gitml.site.source import Document
from tests.site.conftest import make_source
from tests.site.memory_source import MemorySource
from tests.site.pages.test_reports import REPORT, VIEW
from tests.site.pages.test_timeline import line
from tests.site.test_browser import count, until

pytestmark = pytest.mark.browser
OLDER = 40


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> Path:
    """A site with every type of page, runs with and without a page of their own among them."""
    folder = tmp_path_factory.mktemp("accessible") / "site"
    build(whole(), folder, options=dataclasses.replace(options, run_pages=OLDER))
    return folder


def whole() -> MemorySource:
    """The example with what people wrote besides, and its runs spread over commits."""
    content = make_source()
    runs = [
        dataclasses.replace(
            run, source=dataclasses.replace(run.source, commit=f"{n // 4:040x}", dirty=False)
        )
        for n, run in enumerate(content.runs)
    ]
    return dataclasses.replace(
        content,
        runs=runs,
        commits=lambda: line(20),
        pages=[Document(name="team", path="docs/team.md", text="# The team\n\n## Who\n\n- Ada\n")],
        reports=[Document(name="2026-03", path="reports/2026-03.md", text=REPORT)],
        views=[Document(name="shallow", path="views/shallow.yaml", text=VIEW)],
    )


def kinds(site: Path) -> list[str]:
    """Give one address of every type of page, the richest where there are several."""
    pages: dict[str, Path] = {}
    for path in sorted(site.rglob("*.html"), key=lambda path: path.stat().st_size):
        folder = path.parent.relative_to(site).as_posix()
        pages[folder if folder != "." else path.name] = path
    del pages["404.html"], pages["sandbox.html"]  # only shown inside other pages
    addresses = [path.relative_to(site).as_posix() for path in pages.values()]
    older = min((run for run in make_source().runs), key=lambda run: run.info.start_time)
    ids = ",".join(path.stem for path in sorted((site / "runs").iterdir())[:3])
    return [*addresses, f"run.html#{older.info.run_id}", f"compare.html#{ids}"]


@pytest.fixture(params=["light", "dark"])
def tab(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    """A page in either theme, into which axe may be put."""
    context = chromium.new_context(
        viewport={"width": 1360, "height": 900}, color_scheme=request.param, bypass_csp=True
    )
    yield context.new_page()
    context.close()


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    violated = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{item['id']}: {node['html'][:200]} {node['failureSummary']}"
        for item in violated
        for node in item["nodes"]
    ]


def ready(page: Any, address: str) -> None:
    """Wait until scripts filled what they fill."""
    if address.startswith("experiments/"):
        until(lambda: count(page), "60 of 60 runs")
        until(lambda: page.locator("#x option").count() > 0, True)
    elif "#" in address:
        until(lambda: page.locator("main table").count() > 0, True)


def test_axe_finds_nothing_on_any_page(tab: Any, mixed: Path) -> None:
    wrong = {}
    for address in kinds(mixed):
        tab.goto("about:blank")
        tab.goto(f"{mixed.as_uri()}/{address}")
        tab.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true })")
        ready(tab, address)
        if violated := violations(tab):
            wrong[address] = violated
    assert wrong == {}


def test_axe_finds_nothing_in_the_search(tab: Any, mixed: Path) -> None:
    tab.goto(f"{mixed.as_uri()}/index.html")
    tab.keyboard.press("/")
    tab.keyboard.type("tree")
    until(lambda: tab.locator("dialog[open] a").count() > 0, True)
    assert violations(tab) == []


_MARK = """() => {
  const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  window.left = new Set([...document.querySelectorAll(all)].filter(e => e.checkVisibility()
    && !e.disabled && !e.closest("[inert]")));
  addEventListener("focusin", e => left.delete(e.target));
  return left.size;
}"""
_CUT = """() => [...document.querySelectorAll(".scroll, pre")]
  .filter(e => e.scrollHeight > e.clientHeight + 1).map(e => e.outerHTML.slice(0, 200))"""
_LEFT = "() => [...left].filter(e => e.isConnected).map(e => e.outerHTML.slice(0, 200))"


def test_the_keyboard_alone_reaches_everything(page: Any, mixed: Path) -> None:
    for address in kinds(mixed):
        page.goto("about:blank")
        page.goto(f"{mixed.as_uri()}/{address}")
        ready(page, address)
        page.evaluate("document.activeElement.blur()")
        presses = page.evaluate(_MARK) + 10
        for _ in range(presses):
            page.keyboard.press("Tab")
        if address.startswith("experiments/"):  # a long table is not to be walked through
            page.get_by_text("Skip the table").focus()
            page.keyboard.press("Enter")
            assert page.url.endswith(address)
            for _ in range(presses):
                page.keyboard.press("Tab")
        assert page.evaluate(_LEFT) == [], address


@pytest.mark.parametrize("width", [320, 390, 1360])
def test_no_page_is_wider_than_the_screen(page: Any, mixed: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    for address in kinds(mixed):
        page.goto("about:blank")
        page.goto(f"{mixed.as_uri()}/{address}")
        ready(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_a_printed_page_has_all_rows_and_no_buttons(page: Any, mixed: Path) -> None:
    address = next(a for a in kinds(mixed) if a.startswith("runs/"))
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{mixed.as_uri()}/{address}")
    assert page.locator("main button:visible, header button:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "light"
    assert page.evaluate(_CUT) == []
    assert page.pdf().startswith(b"%PDF")


def test_nothing_is_cut_on_paper(page: Any, mixed: Path) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 690, "height": 1000})  # what margins leave of A4
    for address in kinds(mixed):
        page.goto("about:blank")
        page.goto(f"{mixed.as_uri()}/{address}")
        ready(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 690, address
        assert page.evaluate(_CUT) == []


def test_nothing_moves_while_a_page_is_filled(page: Any, mixed: Path) -> None:
    page.add_init_script(
        """window.moved = 0;
        new PerformanceObserver(found => found.getEntries().forEach(e => { moved += e.value; }))
          .observe({type: "layout-shift", buffered: true})"""
    )
    for address in kinds(mixed):
        page.goto("about:blank")
        page.goto(f"{mixed.as_uri()}/{address}")
        ready(page, address)
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert page.evaluate("moved") < 0.1, address  # what Lighthouse calls good
