"""The runs table in a real browser: sorting, columns, groups, choosing; by pointer and by key."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import Experiment, MetricSummary
from gitml.site import build
from gitml.site.data import columns
from tests.site.test_browser import column, count, experiment, runs, state, until

pytestmark = pytest.mark.browser


@pytest.fixture
def open_table(page: Any, site: Path) -> Callable[..., Any]:
    """Return a function that opens the experiment of sixty runs from disk, with a state."""

    def open_page(address: str = "", expected: str = "60 of 60 runs") -> Any:
        page.goto(f"{site.as_uri()}/{experiment(site)}{address}")
        until(lambda: count(page), expected)
        return page

    return open_page


def headers(page: Any) -> list[str]:
    return page.locator("#grid thead button").all_inner_texts()


def header(page: Any, key: str) -> Any:
    return page.locator(f'[data-column="{key}"]')


def ready(page: Any) -> Any:
    """Wait for the scripts of the headings."""
    until(lambda: page.evaluate("Boolean(gitml.headings)"), True)
    return page


def order(page: Any, *keys: str) -> list[str]:
    """Give the arrow that is drawn beside each heading, empty for none."""
    script = "node => getComputedStyle(node, '::before').content"
    drawn = [header(page, key).get_by_role("button").evaluate(script) for key in keys]
    return ["" if content == "none" else content.split('"')[1].strip() for content in drawn]


# Sorting ----------------------------------------------------------------------------------------


def test_a_sorted_column_draws_an_arrow_before_its_name(open_table: Any) -> None:
    table = open_table()
    rmse = header(table, "metrics.rmse").get_by_role("button")
    assert order(table, "metrics.rmse", "params.model") == ["", ""]
    rmse.click()
    assert order(table, "metrics.rmse", "params.model") == ["↑", ""]
    rmse.click()
    assert order(table, "metrics.rmse") == ["↓"]
    # No width of the column hides it, for it stands before the name.
    table.goto(table.url + "&width=metrics.rmse*48")
    until(lambda: header(table, "metrics.rmse").bounding_box()["width"], 48)
    plain = rmse.bounding_box()["width"]
    assert order(table, "metrics.rmse") == ["↓"] and plain > 12


def test_a_click_with_shift_sorts_by_a_further_column(open_table: Any) -> None:
    table = open_table()
    header(table, "params.model").get_by_role("button").click()
    rmse = header(table, "metrics.rmse").get_by_role("button")
    rmse.click(modifiers=["Shift"])
    rmse.click(modifiers=["Shift"])
    assert state(table)["sort"] == "params.model,-metrics.rmse"
    assert order(table, "params.model", "metrics.rmse") == ["↑1", "↓2"]
    pairs = list(zip(column(table, "model"), map(float, column(table, "rmse")), strict=True))
    assert pairs == sorted(pairs, key=lambda pair: (pair[0], -pair[1])) and len(pairs) > 10
    assert header(table, "params.model").get_attribute("aria-sort") == "ascending"
    assert rmse.get_attribute("aria-description") == "descending, sort key 2"
    rmse.click(modifiers=["Shift"])
    assert state(table)["sort"] == "params.model"
    table.go_back()
    until(lambda: order(table, "params.model", "metrics.rmse"), ["↑1", "↓2"])


def test_shift_and_enter_sort_by_a_further_column(open_table: Any) -> None:
    table = ready(open_table("#sort=params.model"))
    header(table, "params.max_depth").get_by_role("button").focus()
    table.keyboard.press("Shift+Enter")
    assert order(table, "params.model", "params.max_depth") == ["↑1", "↑2"]
    depths = [
        int(depth)
        for depth, model in zip(column(table, "max_depth"), column(table, "model"), strict=True)
        if model == "forest"
    ]
    assert depths == sorted(depths) and len(depths) > 10
    table.keyboard.press("Enter")
    assert state(table)["sort"] == "-params.max_depth"


def test_missing_values_come_last_both_ways_and_ties_stay_newest_first(
    page: Any, content: Any, example_run: Any, options: Any, tmp_path: Path
) -> None:
    examples = [
        example_run(n, run_name=f"r{n}", metrics={} if n in (1, 4) else {"m": value})
        for n, value in enumerate([2.0, 0.0, 1.0, math.nan, 0.0, 2.0, -math.inf])
    ]
    for run in examples:
        run.data.metrics.pop("unused", None)
    fuel = [Experiment(experiment_id="fuel", name="fuel economy")]
    build(content(runs=examples, experiments=fuel, models=[]), tmp_path / "site", options=options)
    page.goto(f"{(tmp_path / 'site').as_uri()}/{experiment(tmp_path / 'site')}#sort=metrics.m")
    until(lambda: column(page, "run"), ["r6", "r2", "r0", "r5", "r1", "r3", "r4"])
    page.get_by_role("button", name="m", exact=True).click()
    until(lambda: column(page, "run"), ["r0", "r5", "r2", "r6", "r1", "r3", "r4"])


# Columns ----------------------------------------------------------------------------------------


def test_dragging_a_header_moves_its_column(open_table: Any) -> None:
    table = ready(open_table("#cols=status,metrics.r2,metrics.rmse,params.model"
                             .replace("status", "attributes.status")))  # fmt: skip
    assert headers(table) == ["run", "status", "r2", "rmse", "model"]
    start = header(table, "params.model").locator("button").bounding_box()
    goal = header(table, "metrics.r2").bounding_box()
    table.mouse.move(start["x"] + 5, start["y"] + 5)
    table.mouse.down()
    for x in (start["x"] - 20, goal["x"] + 40, goal["x"] + 4):
        table.mouse.move(x, start["y"] + 5)
    assert "into" in header(table, "metrics.r2").get_attribute("class")
    table.mouse.up()
    assert headers(table) == ["run", "status", "model", "r2", "rmse"]
    assert "sort" not in state(table)
    table.go_back()
    until(lambda: headers(table), ["run", "status", "r2", "rmse", "model"])


def test_keys_move_pin_and_resize_a_column(open_table: Any) -> None:
    table = ready(open_table("#cols=metrics.r2,metrics.rmse,params.model"))
    button = header(table, "params.model").get_by_role("button")
    button.focus()
    table.keyboard.press("Shift+ArrowLeft")
    assert headers(table) == ["run", "r2", "model", "rmse"]
    table.keyboard.press("p")
    assert headers(table) == ["run", "model", "r2", "rmse"]
    assert state(table)["pin"] == "params.model"
    assert "pin" in header(table, "params.model").get_attribute("class")
    table.keyboard.press("Shift+ArrowRight")  # the pinned ones stay together
    assert headers(table) == ["run", "model", "r2", "rmse"]
    before = header(table, "params.model").bounding_box()["width"]
    for _ in range(3):
        table.keyboard.press("+")
    assert header(table, "params.model").bounding_box()["width"] == pytest.approx(
        before + 48, abs=2
    )
    assert state(table)["width"].startswith("params.model*")
    table.keyboard.press("0")
    assert header(table, "params.model").bounding_box()["width"] == pytest.approx(before, abs=2)
    assert "width" not in state(table)
    assert table.evaluate("document.activeElement.closest('th').dataset.column") == "params.model"


def test_dragging_the_edge_of_a_header_resizes_its_column(open_table: Any) -> None:
    table = ready(open_table())
    box = header(table, "metrics.rmse").bounding_box()
    table.mouse.move(box["x"] + box["width"] - 3, box["y"] + 12)
    table.mouse.down()
    table.mouse.move(box["x"] + box["width"] + 57, box["y"] + 12, steps=4)
    table.mouse.up()
    wide = header(table, "metrics.rmse").bounding_box()["width"]
    assert wide == pytest.approx(box["width"] + 60, abs=2)
    assert state(table) == {"width": f"metrics.rmse*{round(wide)}"}
    table.reload()
    until(lambda: header(table, "metrics.rmse").bounding_box()["width"], wide)


def test_a_pinned_column_stays_in_sight(open_table: Any) -> None:
    table = open_table("#pin=params.model,metrics.rmse&width=attributes.source*900,params.seed*900"
                       "&cols=attributes.source,params.seed,params.model")  # fmt: skip
    assert headers(table) == ["run", "model", "rmse", "source", "seed"]
    pinned = [header(table, key) for key in ("params.model", "metrics.rmse")]
    positions = [box.bounding_box()["x"] for box in pinned]
    table.locator("#grid").evaluate("box => box.scrollLeft = 600")
    until(lambda: header(table, "attributes.source").bounding_box()["x"] < 0, True)
    after = [box.bounding_box()["x"] for box in pinned]
    assert after == pytest.approx(positions, abs=2)
    cells = table.locator("#grid tbody tr:nth-child(3) .pin")
    assert [cells.nth(k).bounding_box()["x"] for k in (1, 2)] == pytest.approx(positions, abs=2)


def test_the_columns_menu_shows_ends_of_metrics_and_orders_by_buttons(open_table: Any) -> None:
    table = open_table("#cols=metrics.rmse,params.model")
    table.locator("#columns summary").first.click()
    menu = table.locator("#columns .sheet")
    menu.get_by_label("rmse max").check()
    menu.get_by_label("rmse best").check()
    until(lambda: column(table, "rmse max")[:2], ["9", "9"])
    last = float(column(table, "rmse")[0])
    until(lambda: float(column(table, "rmse best")[0]), pytest.approx(last - 0.1))
    direction = menu.get_by_label("Which rmse is best")
    assert direction.input_value() == "min"  # as the project knows
    direction.select_option("highest")
    until(lambda: column(table, "rmse best")[0], "9")
    assert state(table)["better"] == "metrics.rmse:max"
    menu.get_by_text("Order and pinning").click()
    menu.get_by_role("button", name="Move rmse max to the left").click()
    assert headers(table) == ["run", "rmse", "rmse max", "model", "rmse best"]
    assert table.evaluate("document.activeElement.ariaLabel") == "Move rmse max to the left"
    menu.get_by_role("button", name="Pin model").click()
    menu.get_by_role("button", name="Hide rmse", exact=True).click()
    assert headers(table) == ["run", "model", "rmse max", "rmse best"]
    menu.get_by_role("button", name="Reset columns").click()
    assert state(table) == {}


def test_a_sort_by_an_end_of_a_metric_waits_for_its_values(open_table: Any) -> None:
    table = open_table("#sort=-metrics.rmse:min&cols=metrics.rmse:min")
    until(lambda: order(table, "metrics.rmse:min"), ["↓"])
    until(lambda: len(set(column(table, "rmse min"))) > 10, True)
    values = [float(text) for text in column(table, "rmse min")]
    assert values == sorted(values, reverse=True)


def test_newest_runs_have_sparklines_until_they_are_switched_off(open_table: Any) -> None:
    table = open_table()
    lines = table.locator("#grid tbody .trend polyline")
    until(lambda: lines.count() > 10, True)
    points = lines.first.get_attribute("points").split()
    assert len(points) == 16 and points[0].endswith(",2.0")  # it starts at its highest
    table.locator("#columns summary").first.click()
    table.get_by_label("sparklines of the newest runs").uncheck()
    until(lambda: lines.count(), 0)
    assert state(table) == {"trends": "off"}


@pytest.mark.parametrize(
    ("values", "letters"),
    [
        ([], ""),
        ([1.0], ""),
        ([1.0, 2.0], "0z"),
        ([3.0, 3.0, 3.0], "hhh"),
        ([0.0, "NaN", 1.0, 2.0], "0iz"),
        ([1e308, -1e308], "hh"),
        ([0.0, 5e-324], "0z"),
        ([float(n) for n in range(32)], "02579cegjlnqsuxz"),
    ],
)
def test_a_sparkline_is_a_letter_per_point(values: list[Any], letters: str) -> None:
    assert columns.trend(values) == letters


def test_columns_of_extremes_leave_out_last_values(example_run: Any) -> None:
    def summary(low: float, high: float) -> dict[str, MetricSummary]:
        return {
            "m": MetricSummary(last=1.0, step=0, timestamp=0, min=low, max=high, count=2),
        }

    examples = [
        example_run(0, metrics={"m": 1.0}, summaries=summary(0.5, 1.0)),
        example_run(1, metrics={"m": 1.0}, summaries={}),
        example_run(2, metrics={"m": math.nan}, summaries=summary(math.nan, 2.0)),
    ]
    ends = [(c.kind, c.name, list(c.values)) for c in columns.extremes(examples)]
    assert ends == [("max", "m", [None, None, 2.0]), ("min", "m", [0.5, None, None])]


# Groups -----------------------------------------------------------------------------------------


def test_groups_show_mean_spread_and_count_and_open(open_table: Any, content: Any) -> None:
    table = open_table("#cols=metrics.rmse,params.max_depth,params.model")
    table.locator("#group summary").click()
    table.locator("#group").get_by_label("model").check()
    until(lambda: count(table), "60 of 60 runs in 3 groups")
    assert column(table, "run") == ["forest 20 runs", "linear 20 runs", "tree 20 runs"]
    rmse = [
        run.data.metrics["rmse"] for run in content().runs
        if run.info.experiment_id == "fuel" and run.data.params["model"] == "tree"
    ]  # fmt: skip
    formatted = [float(part) for part in column(table, "rmse")[2].split(" ± ")]
    assert formatted == pytest.approx([statistics.mean(rmse), statistics.stdev(rmse)], rel=0.02)
    table.keyboard.press("Escape")
    tree = table.get_by_role("button", name="tree 20 runs")
    tree.focus()
    table.keyboard.press("Enter")
    until(lambda: column(table, "run")[3], "tree-1")
    assert tree.get_attribute("aria-expanded") == "true"
    assert table.evaluate("document.activeElement.textContent") == "tree 20 runs"
    assert (state(table)["group"], state(table)["open"]) == ("params.model", "=tree")
    table.reload()
    until(lambda: column(table, "run")[3:5], ["tree-1", "tree-4"])


def test_groups_name_a_status_as_other_places_do(open_table: Any) -> None:
    table = open_table("#group=attributes.status", "60 of 60 runs in 2 groups")
    assert column(table, "run") == ["failed 5 runs", "finished 55 runs"]
    table = open_table("#group=attributes.status,params.model", "60 of 60 runs in 6 groups")
    assert column(table, "status") == ["failed"] * 3 + ["finished"] * 3
    table = open_table(
        "#group=params.seed&q=attributes.status+%3D+'FINISHED'", "55 of 60 runs in 1 group"
    )
    assert column(table, "status") == ["finished"]


def test_groups_of_several_columns_are_sorted_by_mean_and_obey_the_filter(open_table: Any) -> None:
    table = open_table(
        "#group=params.model,tags.team&sort=-metrics.rmse&q=params.max_depth+%3C+6",
        "36 of 60 runs in 7 groups",
    )
    means = [float(text.partition(" ± ")[0]) for text in column(table, "rmse")]
    assert means == sorted(means, reverse=True)
    names = column(table, "run")
    assert any(name.startswith("tree · none") for name in names)  # a run without that tag
    table.get_by_label("Choose all of model linear, team green").check()
    members = next(name for name in names if name.startswith("linear · green"))
    assert table.locator("#compare").inner_text() == f"Compare {members.split()[3]}"


# Choosing ---------------------------------------------------------------------------------------


def test_chosen_runs_stay_chosen_and_can_be_dropped(open_table: Any, site: Path) -> None:
    table = open_table()
    table.get_by_label("Choose forest-0").check()
    assert table.locator("#chosen-count").inner_text().startswith("1 run is chosen.")
    table.get_by_label("Choose linear-5").check()
    table.locator("#filter").fill("params.model = 'tree'")
    until(lambda: count(table), "20 of 60 runs")
    assert table.locator("#chosen-runs a").all_inner_texts() == ["forest-0", "linear-5"]
    assert state(table)["runs"] == f"{runs(site)['forest-0']},{runs(site)['linear-5']}"
    table.get_by_role("button", name="Drop forest-0").click()
    assert table.locator("#chosen-runs a").all_inner_texts() == ["linear-5"]
    table.locator("#filter").fill("")
    until(lambda: table.get_by_label("Choose linear-5").is_checked(), True)
    assert not table.get_by_label("Choose forest-0").is_checked()
    table.get_by_role("button", name="Clear").click()
    assert not table.locator("#chosen").is_visible()
    assert "runs" not in state(table)


def test_choosing_all_runs_respects_the_limit_of_a_comparison(open_table: Any) -> None:
    table = open_table()
    every = table.get_by_label("Choose all runs that are shown")
    every.click()
    message = "At most 50 runs can be compared; 10 more are not chosen."
    assert table.locator("#chosen-count").inner_text() == message
    assert table.locator("#compare").inner_text() == "Compare 50"
    assert every.evaluate("box => box.indeterminate")
    table.get_by_role("button", name="Clear").click()
    table.locator("#filter").fill("params.model = 'tree'")
    until(lambda: count(table), "20 of 60 runs")
    every.check()
    assert table.locator("#chosen-count").inner_text() == "20 runs are chosen."
    every.uncheck()
    assert not table.locator("#chosen").is_visible()


def test_shift_chooses_a_range(open_table: Any) -> None:
    table = open_table()
    table.get_by_label("Choose linear-2", exact=True).click()
    table.get_by_label("Choose forest-6", exact=True).click(modifiers=["Shift"])
    names = ["linear-2", "forest-3", "tree-4", "linear-5", "forest-6"]
    assert table.locator("#chosen-runs a").all_inner_texts() == names
    assert table.get_by_label("Choose tree-4").is_checked()
