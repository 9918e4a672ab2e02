"""The dashboard in a real browser, from disk and over HTTP."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from gitml.entities import Artifact, Dataset, RunInputs, Source
from gitml.site import SiteOptions, build
from gitml.site.options import ShardSizes

pytestmark = pytest.mark.browser


def until(check: Callable[[], Any], expected: Any) -> None:
    """Wait until a check gives what is expected; the pages' policy forbids Playwright's own way."""
    end = time.monotonic() + 10
    while (value := check()) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert value == expected


def column(page: Any, title: str) -> list[str]:
    """Read a column of the runs table, as far as it is drawn."""
    heads = page.locator("#grid thead th").all_inner_texts()
    position = [re.sub(r"\s*[↑↓]$", "", head) for head in heads].index(title)
    return page.locator(f"#grid tbody tr > :nth-child({position + 1})").all_inner_texts()


def state(page: Any) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(page.url.partition("#")[2]).items()}


def count(page: Any) -> str:
    return page.locator("#count").inner_text()


def filter_text(page: Any) -> str:
    return page.locator("#filter").input_value()


def experiment(site: Path, name: str = "fuel-*") -> str:
    return next((site / "experiments").glob(name)).relative_to(site).as_posix()


def runs(site: Path) -> dict[str, str]:
    """Run names to their pages."""
    pages = (site / "runs").iterdir()
    return {re.search(r"<h1><bdi>(.*)</bdi>", p.read_text())[1]: p.stem for p in pages}


@pytest.fixture(params=["file", "http"])
def home(request: pytest.FixtureRequest, site: Path, http: str) -> str:
    """Address of the site, with a slash at the end."""
    return f"{site.as_uri()}/" if request.param == "file" else http


@pytest.fixture
def table(page: Any, home: str, site: Path) -> Any:
    """The page of an experiment of sixty runs, ready."""
    page.goto(home + experiment(site))
    until(lambda: count(page), "60 of 60 runs")
    return page


def test_links_lead_from_home_to_a_run_and_back(page: Any, home: str) -> None:
    page.goto(home + "index.html")
    page.get_by_role("link", name="fuel economy").first.click()
    page.get_by_role("link", name="tree-4", exact=True).click()
    assert page.locator("h1").inner_text() == "tree-4"
    page.get_by_role("link", name="Fuel & weather").click()
    assert page.title() == "Fuel & weather"
    page.go_back()
    assert page.locator("h1").inner_text() == "tree-4"


def test_a_click_on_a_header_sorts_and_the_back_button_takes_it_back(table: Any) -> None:
    newest = column(table, "run")
    table.get_by_role("button", name="rmse").click()
    values = [float(text) for text in column(table, "rmse")]
    assert values == sorted(values) and len(values) > 10
    assert state(table) == {"sort": "metrics.rmse"}
    head = table.locator('[data-column="metrics.rmse"]')
    assert head.get_attribute("aria-sort") == "ascending"
    table.get_by_role("button", name="rmse").click()
    values = [float(text) for text in column(table, "rmse")]
    assert values == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    table.go_back()
    table.go_back()
    until(lambda: column(table, "run"), newest)
    assert head.get_attribute("aria-sort") == "none"


def param(run: Any, key: str) -> str:
    return run.data.params[key]


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("params.model = 'forest'", lambda r: param(r, "model") == "forest"),
        ("params.model IN ('forest', \"tree\")", lambda r: param(r, "model") in ("forest", "tree")),
        (
            "metrics.rmse < 3 AND params.model != 'forest'",
            lambda r: r.data.metrics["rmse"] < 3 and param(r, "model") != "forest",
        ),
        (
            "metrics.rmse < 2.7 OR metrics.rmse >= 3.7 and tags.team = 'blue'",
            lambda r: (
                r.data.metrics["rmse"] < 2.7
                or (r.data.metrics["rmse"] >= 3.7 and r.data.tags.get("team") == "blue")
            ),
        ),
        ("NOT (tags.team = 'blue')", lambda r: r.data.tags.get("team") != "blue"),
        ("tags.team != 'blue'", lambda r: r.data.tags.get("team") == "green"),
        ("tags.team IS NULL", lambda r: "team" not in r.data.tags),
        ("tags.team is not null", lambda r: "team" in r.data.tags),
        ("attributes.status = 'FAILED'", lambda r: r.info.status == "FAILED"),
        ("run_name LIKE 'forest-1%'", lambda r: r.info.run_name.startswith("forest-1")),
        (
            "attributes.run_name ILIKE 'FOREST-1_'",
            lambda r: r.info.run_name.startswith("forest-1") and len(r.info.run_name) == 9,
        ),
        ("params.max_depth > 7", lambda r: int(param(r, "max_depth")) > 7),
        ("params.max_depth = '8'", lambda r: param(r, "max_depth") == "8"),
        ("metrics.`rmse` < 100 AND", lambda r: True),
        ("params.nope != 'x'", lambda r: False),
    ],
)
def test_the_filter_keeps_the_matching_runs(
    page: Any, site: Path, content: Any, text: str, keeps: Callable[[Any], bool]
) -> None:
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    page.locator("#filter").fill(text)
    expected = [
        r.info.run_name for r in content().runs if r.info.experiment_id == "fuel" and keeps(r)
    ]
    until(lambda: count(page), f"{len(expected)} of 60 runs")
    listed = [name for name in column(page, "run") if name]
    assert listed == expected[: len(listed)]
    assert state(page)["q"] == text


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (
            "metrics.rmse <",
            "Invalid filter at character 15: expected a number without quotes,"
            " because metrics.rmse is a number, but it ends there.",
        ),
        (
            "params.model = forest",
            "Invalid filter at character 16: expected a string in quotes, because"
            " params.model is a string, found 'forest'. Write 'forest' with the quotes.",
        ),
        (
            "metric.rmse < 3 metrics.r2 > 1",
            "Invalid filter at character 17: expected AND, OR or the end, found 'metrics.r2 > 1'.",
        ),
        (
            "(metrics.rmse < 3",
            "Invalid filter at character 18: expected AND, OR or ), but it ends there.",
        ),
        (
            "colour.x = 'y'",
            "Unknown field 'colour.x' at character 1. Fields start with metrics., params., tags.,"
            " datasets. or attributes.",
        ),
        (
            "datasets.size = 'cars'",
            "Invalid filter at character 10: expected one of name, digest, context "
            "after datasets., found \"size = 'cars'\".",
        ),
        ("params.nope = 'x'", "No run here has params.nope."),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(
    page: Any, site: Path, text: str, trouble: str
) -> None:
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    page.locator("#filter").fill(text)
    until(lambda: page.locator("#trouble").inner_text(), trouble)


def test_a_link_brings_back_filter_sort_columns_and_chosen_runs(
    page: Any, home: str, site: Path
) -> None:
    ids = runs(site)
    page.goto(
        f"{home}{experiment(site)}#q=params.model+%3D+'tree'&sort=-params.max_depth"
        f"&cols=metrics.rmse,params.max_depth&runs={ids['tree-4']},{ids['tree-7']}"
    )
    until(lambda: count(page), "20 of 60 runs")
    assert page.locator("#filter").input_value() == "params.model = 'tree'"
    heads = page.locator("#grid thead button").all_inner_texts()
    assert heads == ["run", "rmse", "max_depth"]
    sorted_by = page.locator("[aria-sort=descending]").get_attribute("data-column")
    assert sorted_by == "params.max_depth"
    assert column(page, "max_depth")[:3] == ["8", "8", "8"]
    assert page.locator("#compare").inner_text() == "Compare 2"


def test_columns_can_be_chosen(table: Any) -> None:
    table.locator("#columns summary").click()
    table.locator("#columns").get_by_label("seed").check()
    assert column(table, "seed")[0] == "7"
    assert "params.seed" in state(table)["cols"]
    table.keyboard.press("Escape")
    assert not table.locator("#columns .sheet").is_visible()


def axis(page: Any, position: int, axes: int) -> tuple[float, float, float]:
    """Give an axis's x, top and bottom on the screen, after the chart was drawn."""
    box = page.locator("#parallel")
    box.scroll_into_view_if_needed()
    canvas = page.locator("#parallel canvas")
    canvas.wait_for()
    size = canvas.bounding_box()
    x = size["x"] + 28 + position * (size["width"] - 56) / (axes - 1)
    return x, size["y"] + 44, size["y"] + size["height"] - 40


def drag(page: Any, x: float, start: float, end: float) -> None:
    page.mouse.move(x, start)
    page.mouse.down()
    for part in range(1, 6):
        page.mouse.move(x, start + (end - start) * part / 5)
    page.mouse.up()


def test_a_brush_writes_the_filter_and_the_table_follows(table: Any) -> None:
    x, top, bottom = axis(table, 4, 6)  # rmse
    drag(table, x, bottom + 5, top + (bottom - top) / 2)
    until(lambda: count(table) != "60 of 60 runs" and state(table)["q"] == filter_text(table), True)
    clause = r"metrics\.rmse >= ([\d.]+) AND metrics\.rmse <= ([\d.]+)"
    match = re.fullmatch(clause, filter_text(table))
    low, high = map(float, match.groups())
    assert (round(low, 2), round(high, 1)) == (2.61, 3.2)
    assert all(low <= float(text) <= high for text in column(table, "rmse"))
    counted = count(table)
    x, top, bottom = axis(table, 2, 6)  # model: forest, linear, tree from below
    drag(table, x, bottom - 5, bottom - 30)
    until(lambda: set(column(table, "model")), {"forest"})
    assert filter_text(table).endswith("AND params.model IN ('forest')")
    table.mouse.click(x, (top + bottom) / 2)
    until(lambda: count(table), counted)
    table.go_back()
    until(lambda: set(column(table, "model")), {"forest"})


def test_a_brush_keeps_what_was_typed(table: Any) -> None:
    table.locator("#filter").fill("params.model = 'tree' OR params.model = 'forest'")
    x, top, bottom = axis(table, 1, 6)  # max_depth
    drag(table, x, top - 4, top + (bottom - top) / 4)
    until(lambda: set(column(table, "max_depth")), {"7", "8"})
    text = filter_text(table)
    assert text.startswith(
        "(params.model = 'tree' OR params.model = 'forest') AND params.max_depth"
    )


def test_chosen_runs_are_compared_side_by_side(table: Any) -> None:
    for name in ("forest-0", "tree-1", "tree-7"):
        table.get_by_label(f"Choose {name}", exact=True).check()
    table.get_by_role("link", name="Compare 3").click()
    until(lambda: table.locator("h1").inner_text(), "Compare 3 runs")
    depth = table.get_by_role("row", name="max_depth")
    assert depth.locator("td").all_inner_texts() == ["2", "3", "2"]
    assert "differs" in depth.get_attribute("class")
    assert table.get_by_role("row", name="seed").is_visible()
    table.get_by_label("only what differs").check()
    assert not table.get_by_role("row", name="seed").is_visible()
    for chart in ("#parallel", "#scatter", "#panels"):
        table.locator(chart).scroll_into_view_if_needed()
        table.locator(f"{chart} canvas").first.wait_for()
    table.go_back()
    until(lambda: table.get_by_role("row", name="seed").is_visible(), True)
    table.go_back()
    until(lambda: table.locator("#compare").inner_text(), "Compare 3")


def test_the_compare_page_marks_the_best_of_each_metric(
    page: Any, site: Path, example_run: Any
) -> None:
    compared = [example_run(number) for number in range(3)]
    ids = ",".join(run.info.run_id for run in compared)
    page.goto(f"{site.as_uri()}/compare.html#{ids}")
    page.locator("#side table").wait_for()
    three = [run.data.metrics for run in compared]
    for metric, best in (("r2", max), ("rmse", min)):
        row = page.locator("#side tr").filter(has=page.get_by_role("rowheader", name=metric))
        marked = [cell.locator("b").count() for cell in row.locator("td").all()]
        values = [metrics[metric] for metrics in three]
        assert marked == [int(value == best(values)) for value in values]
        title = row.locator("td").nth(marked.index(1)).get_attribute("title")
        assert title.endswith(", best")
    row = page.locator("#side tr").filter(has=page.get_by_role("rowheader", name="fit_seconds"))
    assert row.count() == 1
    assert page.locator("#side tbody").filter(has_text="Parameters").locator("b").count() == 0


def test_the_compare_page_shows_what_differs_first(
    page: Any, content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    from tests.site.conftest import FILES, make_run, run_id

    old, new = "1" * 40, "2" * 40
    data = {n: Dataset(name="cars", digest=f"digest{n}", context="train") for n in (0, 1)}
    few = [
        make_run(
            n,
            source=Source(commit=(new, old)[n]),
            inputs=RunInputs(dataset_inputs=(data[n],)),
            params={"a": "same", "b": str(n), **{f"same{k}": "1" for k in range(400)}},
        )
        for n in (0, 1)
    ]
    everything = content(
        runs=few,
        versions=lambda name: [],
        requirements=lambda key: f"numpy==2.{key == run_id(0):d}\npandas==2.2\n",
        artifacts=lambda key: [Artifact(path="plots/curve.png", size=9, md5="m")],
        read_artifact=lambda key, path, limit: FILES[path],
    )
    site = tmp_path / "site"
    build(everything, site, options=options)
    page.goto(f"{site.as_uri()}/compare.html#{run_id(0)},{run_id(1)}")
    until(lambda: page.locator("h1").inner_text(), "Compare 2 runs")
    params = page.locator("#side tbody", has_text="Parameters").locator("tr")
    assert params.nth(1).inner_text().split() == ["b", "differs", "0", "1"]
    assert params.last.inner_text() == "102 more, alike in all"
    text = page.locator("#side").inner_text()
    assert "digest0" in text and "digest1" in text
    environment = page.locator("#side tbody", has_text="Environment").locator("tr")
    assert environment.nth(1).inner_text().split() == ["numpy", "differs", "2.1", "2.0"]
    assert environment.last.inner_text() == "1 more, alike in all"
    link = page.locator("#code a")
    assert link.inner_text() == f"git diff {old[:12]} {new[:12]}"
    address = f"https://github.com/example/fuel/compare/{old}...{new}"
    assert link.get_attribute("href") == address
    assert page.locator("#pictures img").count() == 2


def test_compare_link_opens_without_waiting(page: Any, home: str, site: Path) -> None:
    ids = runs(site)
    page.goto(f"{home}compare.html#{ids['linear-2']},{ids['linear-5']}")
    until(lambda: page.locator("h1").inner_text(), "Compare 2 runs")
    page.goto(f"{home}compare.html")
    until(lambda: page.locator("#empty").is_visible(), True)


def test_curves_are_drawn_and_follow_their_controls(page: Any, home: str, site: Path) -> None:
    page.goto(f"{home}runs/{runs(site)['tree-4']}.html")
    page.locator("#curves").scroll_into_view_if_needed()
    until(lambda: page.locator("#panels canvas").count(), 2)
    assert page.locator("#panels figcaption bdi").all_inner_texts() == ["loss", "rmse"]
    seen = [page.locator("#panels").screenshot()]
    page.locator("#smooth").fill("0.9")
    until(lambda: page.locator("#panels").screenshot() != seen[0], True)
    page.get_by_label("log y").check()
    page.get_by_label("log x").check()
    page.locator("#across").select_option("time")
    until(lambda: page.locator("#panels canvas").count(), 2)
    expected = {"smooth": "0.9", "log": "on", "log-across": "on", "across": "time"}
    assert state(page) == expected
    until(lambda: log_axes(page), (True, True))
    page.locator("#across").select_option("clock")
    until(lambda: log_axes(page), (False, True))
    page.go_back()
    until(lambda: log_axes(page), (True, True))
    page.reload()
    page.locator("#curves").scroll_into_view_if_needed()
    until(lambda: page.locator("#panels canvas").count(), 2)
    assert state(page) == expected
    assert page.locator("#smooth").input_value() == "0.9"
    assert log_axes(page) == (True, True)


def log_axes(page: Any) -> tuple[bool, bool]:
    """Tell whether a curve has a log scale across and up."""
    drawing = page.evaluate("document.querySelector('#panels .chart').chart.svg()")
    axes = re.findall(r"([XY])-axis[^>]*? for a (\w+) scale", drawing)
    return dict(axes)["X"] == "log", dict(axes)["Y"] == "log"


def test_the_theme_is_switched_and_remembered(page: Any, home: str, site: Path) -> None:
    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.goto(home + "index.html")
    light = background()
    page.get_by_role("button", name="Switch to dark colours").click()
    assert background() != light
    page.goto(home + experiment(site))
    assert background() != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert background() == light


def test_the_keyboard_reaches_the_table_and_sorts_it(table: Any) -> None:
    table.keyboard.press("Tab")
    assert table.evaluate("document.activeElement.textContent") == "Skip to content"
    table.locator('[data-column="params.max_depth"] button').focus()
    table.keyboard.press("Enter")
    assert state(table) == {"sort": "params.max_depth"}
    focused = "document.activeElement.closest('th').dataset.column"
    assert table.evaluate(focused) == "params.max_depth"


def test_only_rows_in_sight_are_in_the_page(table: Any) -> None:
    assert table.locator("#grid tbody tr").count() < 45
    table.locator("#grid").evaluate("box => box.scrollTop = box.scrollHeight")
    until(lambda: column(table, "run")[-2:-1], ["tree-58"])


def test_a_table_works_without_the_scripts_of_the_charts_and_says_so(
    chromium: Any, site: Path, tmp_path: Path
) -> None:
    shutil.copytree(site, tmp_path / "site")
    next((tmp_path / "site" / "static").glob("charts.*")).unlink()
    tab = chromium.new_page()
    tab.goto((tmp_path / "site" / experiment(site)).as_uri())
    tab.locator("#filter").fill("params.model = 'tree'")
    until(lambda: count(tab), "20 of 60 runs")
    trouble = r"static/charts\.\w+\.js cannot be loaded\. Reload the page to try again\."
    until(lambda: bool(re.fullmatch(trouble, tab.locator("#charts").inner_text())), True)
    tab.close()


def test_shards_are_joined_in_the_table(
    page: Any, content: Any, options: Any, tmp_path: Path
) -> None:
    from gitml.site import build

    sizes = ShardSizes(newest=10, block=20, small_block=4, plain_bytes=2_000)
    build(content(), tmp_path / "site", options=dataclasses.replace(options, sizes=sizes))
    page.goto(f"{(tmp_path / 'site').as_uri()}/{experiment(tmp_path / 'site')}")
    until(lambda: count(page), "60 of 60 runs")
    page.locator("#filter").fill("params.model = 'tree' AND metrics.rmse < 3")
    until(lambda: count(page), "6 of 60 runs")
