"""Search from every page: what is found, in which order, by which keys, and how much it weighs."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from gitml.site import SiteOptions, build
from gitml.site.catalogue import Catalogue
from gitml.site.data import search
from gitml.site.options import ShardSizes

browser = pytest.mark.browser


def pushed(path: Path) -> Any:
    """Read what a data script hands to the page."""
    text = path.read_text().removesuffix(");\n").partition(",")[2]
    value = json.loads(text)
    return json.loads(gzip.decompress(base64.b64decode(value))) if isinstance(value, str) else value


def column(table: Any, index: int) -> list[Any]:
    values = table["values"][index]
    if "d" in values:
        return [None if k < 0 else values["d"][k] for k in values["i"]]
    return values.get("t") or values["x"]


@pytest.mark.slow
def test_the_index_lists_runs_newest_first_and_everything_else(site: Path, content: Any) -> None:
    head = pushed(site / "data" / "search.js")
    runs = content().runs
    assert column(head["runs"], 0) == [run.info.run_id for run in runs]
    assert column(head["runs"], 1) == [run.info.run_name for run in runs]
    assert column(head["runs"], 5)[0].startswith("Shallow trees generalise better Depth 6 is")
    assert [page[:2] for page in head["pages"]] == [
        ["experiment", "fuel economy"],
        ["experiment", "seattle weather"],
        ["model", "FuelModel"],
        ["version", "FuelModel version 2"],
        ["version", "FuelModel version 1"],
    ]
    assert all((site / page[2].partition("#")[0]).is_file() for page in head["pages"])
    assert (head["paged"], head["more"], head["left"]) == (len(runs), [], 0)


def test_the_index_stays_bounded_and_full_blocks_never_change(
    content: Any, example_run: Any
) -> None:
    sizes = ShardSizes(newest=4, block=5, small_block=5, search=25)
    note = {"mlflow.note.content": "word " * 10_000}

    def written(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        runs = [example_run(n, tags=note) for n in range(1000 - count, 1000)]
        catalogue = Catalogue.of(content(1, runs=runs, experiments=content(1).experiments), 3)
        blocks = search.blocks(catalogue, sizes)
        tables = {key: search.table(catalogue, runs) for key, runs in blocks.items()}
        return search.index(catalogue, sizes, (), dict.fromkeys(tables, "address")), tables

    head, blocks = written(42)
    assert (head["paged"], head["left"], len(blocks)) == (3, 15, 5)
    assert [table["n"] for table in blocks.values()] == [3, 5, 5, 5, 5]
    assert max(len(json.dumps(table)) for table in blocks.values()) < 8_000
    later, others = written(43)
    assert later["left"] == 15
    assert {key: others[key] for key in list(blocks)[1:]} == dict(list(blocks.items())[1:])


def test_notes_share_the_size_of_a_block(content: Any, example_run: Any) -> None:
    note = {"mlflow.note.content": "x" * 5_000}
    runs = [example_run(n, tags=note) for n in range(1_000)]
    head = search.index(Catalogue.of(content(1, runs=runs), 5), ShardSizes(), (), {})
    assert len(json.dumps(head)) < search.BLOCK_CHARS + 200_000


@pytest.fixture
def opened(page: Any, site: Path) -> Any:
    """The home page with the search open."""
    page.goto(f"{site.as_uri()}/index.html")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox")).to_be_focused()
    return page


def options_of(page: Any) -> Any:
    return page.locator("dialog [role=option]")


@browser
def test_slash_opens_the_search_and_enter_opens_a_run(opened: Any) -> None:
    opened.keyboard.type("forest-12")
    expect(opened.locator("dialog [role=status]")).to_have_text("1 found.")
    expect(options_of(opened)).to_contain_text(["runforest-12fuel economy · 2026-02-2"])
    opened.keyboard.press("Enter")
    expect(opened.locator("h1")).to_have_text("forest-12")


@browser
@pytest.mark.parametrize(
    ("text", "kind", "title"),
    [
        ("seattle", "experiment", "seattle weather"),
        ("FUELMODEL", "model", "FuelModel"),
        ("deeper 1982", "version", "FuelModel version 2"),
        ("champion", "version", "FuelModel version 2"),
        ("trees generalise", "run", "forest-0"),
        ("tree-4", "run", "tree-4"),
    ],
)
def test_search_finds_pages_of_every_kind(opened: Any, text: str, kind: str, title: str) -> None:
    opened.keyboard.type(text)
    first = options_of(opened).first
    expect(first.locator("span")).to_have_text(kind)
    expect(first.locator("b")).to_have_text(title)


@browser
def test_arrows_move_around_and_escape_closes(opened: Any) -> None:
    opened.keyboard.type("forest")
    entries = options_of(opened)
    expect(entries).to_have_count(24)
    chosen = opened.locator("dialog [aria-selected=true]")
    opened.keyboard.press("ArrowDown")
    expect(chosen).to_have_id("found-1")
    expect(opened.get_by_role("combobox")).to_have_attribute("aria-activedescendant", "found-1")
    for _ in range(2):
        opened.keyboard.press("ArrowUp")
    expect(chosen).to_have_id("found-23")
    expect(chosen).to_be_in_viewport()
    opened.keyboard.press("Escape")
    expect(opened.locator("dialog")).to_be_hidden()
    opened.keyboard.press("/")
    expect(opened.get_by_role("combobox")).to_have_value("forest")


@browser
def test_search_opens_from_every_page_but_not_while_typing(
    page: Any, site: Path, http: str
) -> None:
    for name in ("experiments/fuel-*", "models/*", "runs/*", "compare.html", "404.html"):
        address = next(site.glob(name)).relative_to(site).as_posix()
        page.goto(f"{http}{address}")
        page.locator("h1").click()
        page.keyboard.press("/")
        page.keyboard.type("tree-4")
        expect(options_of(page).first).to_have_attribute("href", re.compile(r"(../)?runs/\w+.html"))
        page.keyboard.press("Escape")
    page.goto(f"{http}{next(site.glob('experiments/fuel-*')).relative_to(site).as_posix()}")
    page.locator("#filter").fill("")
    page.locator("#filter").press("/")
    expect(page.locator("#filter")).to_have_value("/")
    expect(page.locator("dialog[open]")).to_have_count(0)


@browser
def test_search_lists_runs_without_an_own_page(
    page: Any, content: Any, options: SiteOptions, tmp_path: Path, example_run: Any
) -> None:
    import dataclasses

    build(content(), tmp_path / "site", options=dataclasses.replace(options, run_pages=10))
    page.goto(f"{(tmp_path / 'site').as_uri()}/index.html")
    page.keyboard.press("/")
    page.keyboard.type("linear-50")
    expect(options_of(page)).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("linear-50")
    page.keyboard.press("/")
    page.keyboard.type("f" * 32)  # an id that the index does not hold
    expect(options_of(page)).to_have_attribute("href", f"run.html#{'f' * 32}")


@browser
def test_search_shows_hostile_names_as_text(page: Any, hostile_site: Path) -> None:
    page.goto(f"{hostile_site.as_uri()}/index.html")
    page.keyboard.press("/")
    page.keyboard.type("</script>")
    expect(options_of(page).first.locator("b")).to_have_text(
        "</script><img src=x onerror=alert(1)>"
    )
    page.locator("dialog input").fill("nothing has this name")
    expect(page.locator("dialog [role=status]")).to_have_text("Nothing is found.")


@browser
def test_search_reports_a_missing_index(
    chromium: Any, content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    build(content(3), tmp_path / "site", options=options)
    index = tmp_path / "site" / "data" / "search.js"
    data = index.read_bytes()
    index.unlink()
    page = chromium.new_page()
    page.goto(f"{(tmp_path / 'site').as_uri()}/index.html")
    page.keyboard.press("/")
    status = page.locator("dialog [role=status]")
    expect(status).to_have_text("data/search.js cannot be loaded. Close this and try again.")
    index.write_bytes(data)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("forest-0")
    expect(status).to_have_text("1 found.")
    page.close()
