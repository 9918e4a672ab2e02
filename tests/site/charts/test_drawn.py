"""What charts draw of values that are odd, alike, close or many: lines, points, labels, legends."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import Experiment, Metric, MetricSummary, Run, RunStatus
from gitml.site import SiteOptions, build
from tests.site.charts.test_charts import drawn, svg
from tests.site.conftest import make_run
from tests.site.memory_source import MemorySource
from tests.site.test_browser import count, state, until

pytestmark = pytest.mark.browser
START = 1_772_000_000_000
Logged = Sequence[tuple[Mapping[str, str], Mapping[str, float]]]


@pytest.fixture
def publish(tmp_path: Path, options: SiteOptions) -> Callable[..., str]:
    """Return a function that builds the site of some runs, newest first, and gives its address."""

    def build_site(runs: Sequence[Run], **more: Any) -> str:
        source = MemorySource(
            experiments=[Experiment(experiment_id="fuel", name="fuel", creation_time=START)],
            runs=runs,
            **more,
        )
        build(source, tmp_path / "site", options=options)
        return (tmp_path / "site").as_uri()

    return build_site


def logged(rows: Logged, **more: Any) -> list[Run]:
    """Make a run of each pair of params and metrics."""
    return [
        make_run(number, params=params, metrics=metrics, summaries={}, tags={}, **more)
        for number, (params, metrics) in enumerate(rows)
    ]


def opened(page: Any, address: str, fragment: str = "") -> Any:
    experiment = next(Path(address.removeprefix("file://")).glob("experiments/*.html")).name
    page.goto(f"{address}/experiments/{experiment}{fragment}")
    page.locator("#count").wait_for()
    return page


def texts(page: Any, box: str) -> list[str]:
    """Give every text that a chart draws, without the halos behind some."""
    drawn_texts = re.findall(r"<text (?![^>]*stroke=)[^>]*>([^<>]+)</text>", svg(page, box))
    return [text.replace("&lt;", "<") for text in drawn_texts]


def points(page: Any, box: str) -> list[tuple[float, float]]:
    paths = re.findall(r'd="([^"]*h0?\.01[^"]*)"[^>]*stroke-width="9"', svg(page, box))
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+),([\d.]+)", " ".join(paths))]


# Odd values among numbers -----------------------------------------------------------------------

DEPTHS = ["None", *map(str, range(2, 14)), "auto", "NaN", "inf"]


def depths() -> list[Run]:
    """Make runs whose metric follows their depth, but for depths that are no number."""
    depth = [float(text) if text.isdigit() else 30.0 for text in DEPTHS]
    return logged(
        [
            ({"depth": text, "seed": str(number % 3)}, {"rmse": 10 - value / 4})
            for number, (text, value) in enumerate(zip(DEPTHS, depth, strict=True))
        ]
    )


def test_odd_values_are_set_apart_and_named_and_numbers_stay_numbers(
    page: Any, publish: Callable[..., str]
) -> None:
    opened(page, publish(depths()), "#x=params.depth&y=metrics.rmse&axes=params.depth,metrics.rmse")
    drawn(page, "#parallel", "#scatter", "#importance")
    for box in ("#parallel", "#scatter"):
        assert {"None", "auto", "NaN", "inf", "4", "6", "8"} <= set(texts(page, box)), box
        assert texts(page, box).count("None") == 1
    assert page.locator('[data-column="params.depth"].n').count() == 1
    head = page.locator('[data-column="params.depth"]').get_by_role("button")
    head.click()
    cell = "#grid tbody tr[data-row]"
    values = page.locator(cell).evaluate_all(
        "rows => rows.map(r => r.querySelectorAll('td, th')[6]?.textContent)"
    )
    position = [t.strip() for t in page.locator("#grid thead th").all_inner_texts()]
    column = next(k for k, text in enumerate(position) if text.endswith("depth"))
    values = page.locator(f"{cell} > :nth-child({column + 1})").all_inner_texts()
    assert values == [*map(str, range(2, 14)), "inf", "NaN", "None", "auto"]


def test_the_param_that_decides_is_important_although_a_run_has_none(
    page: Any, publish: Callable[..., str]
) -> None:
    opened(page, publish(depths()), "#goal=metrics.rmse")
    drawn(page, "#importance")
    labels = texts(page, "#importance")
    assert float(max(t for t in labels if re.fullmatch(r"[01]\.\d\d", t))) >= 0.99
    box = page.locator("#importance canvas")
    box.scroll_into_view_if_needed()
    area = box.bounding_box()
    page.mouse.move(area["x"] + 200, area["y"] + 110)
    until(lambda: page.locator(".tip").is_visible(), True)
    assert "set apart: None, auto, NaN, inf" in page.locator(".tip").inner_text()


def test_a_contour_is_drawn_although_a_run_has_none(page: Any, publish: Callable[..., str]) -> None:
    rows: Logged = [
        ({"depth": str(k % 5), "rate": str(k // 5 + 1)}, {"rmse": k / 7}) for k in range(25)
    ]
    odd: Logged = [({"depth": "None", "rate": "auto"}, {"rmse": 3.0})]
    opened(page, publish(logged([*odd, *rows])), "#cx=params.depth&cy=params.rate")
    drawn(page, "#contour")
    assert svg(page, "#contour").count('stroke-opacity="0.25"') >= 8
    assert len(points(page, "#contour")) == 25


def test_texts_stay_texts_when_few_of_them_are_numbers(
    page: Any, publish: Callable[..., str]
) -> None:
    rows: Logged = [
        ({"features": text}, {"rmse": float(k)})
        for k, text in enumerate(["sqrt", "log2", "auto", "0.5"] * 3)
    ]
    opened(page, publish(logged(rows)), "#x=params.features&y=metrics.rmse")
    drawn(page, "#scatter")
    assert {"sqrt", "log2", "auto", "0.5"} <= set(texts(page, "#scatter"))
    assert page.locator('[data-column="params.features"].n').count() == 0


@pytest.mark.parametrize(
    "values",
    [
        [math.nan] * 4,
        [1.0] * 4,
        [math.inf, -math.inf, math.nan, 1.0],
        [1.7e308, -1.7e308, 0.0, 5e-324],
        [2.5],
    ],
    ids=["all NaN", "constant", "infinities", "huge", "one run"],
)
def test_charts_of_any_numbers_have_finite_coordinates(
    page: Any, publish: Callable[..., str], values: list[float]
) -> None:
    rows: Logged = [({"depth": str(k)}, {"rmse": value}) for k, value in enumerate(values)]
    opened(
        page, publish(logged(rows)), "#x=params.depth&y=metrics.rmse&axes=params.depth,metrics.rmse"
    )
    drawn(page, "#parallel", "#scatter")
    for box in ("#parallel", "#scatter"):
        assert not re.search(r"\bNaN,|,NaN|\(NaN|Infinity,|,-?Infinity", svg(page, box))
    finite = sum(map(math.isfinite, values))
    odd = len(values) - finite
    until(lambda: len(points(page, "#scatter")), finite + (odd if finite or odd else 0))


# Failed runs ------------------------------------------------------------------------------------


def test_runs_without_the_metric_do_not_stretch_scatter_and_contour(
    page: Any, publish: Callable[..., str]
) -> None:
    rows: Logged = [
        ({"depth": str(2 + k % 5), "rate": str(1 + k // 5)}, {"rmse": k / 7}) for k in range(20)
    ]
    failed = logged([({"depth": "-4000", "rate": "-90"}, {})] * 3, status=RunStatus.FAILED)
    failed = [
        dataclasses.replace(
            run,
            info=dataclasses.replace(run.info, run_id=hashlib.md5(f"f{k}".encode()).hexdigest()),
        )
        for k, run in enumerate(failed)
    ]
    fragment = "#x=params.depth&y=metrics.rmse&cx=params.depth&cy=params.rate&cz=metrics.rmse"
    opened(page, publish([*logged(rows), *failed]), fragment)
    drawn(page, "#scatter", "#contour")
    for box in ("#scatter", "#contour"):
        wide = page.locator(f"{box} canvas").bounding_box()["width"] - 84 - 32
        across = [x for x, _ in points(page, box)]
        assert max(across) - min(across) > 0.95 * wide, box
        assert not any("000" in text for text in texts(page, box)), box


# Curves -----------------------------------------------------------------------------------------


def histories(count: int, point: Callable[[int, int], Metric], n: int = 20) -> dict[str, Any]:
    """Make runs with a curve each, and a source's history of them."""
    runs, by_run = [], {}
    for number in range(count):
        run_points = [point(number, k) for k in range(n)]
        last = run_points[-1]
        summary = MetricSummary(
            last=last.value, step=last.step, timestamp=last.timestamp,
            min=0.0, max=9.0, count=n,
        )  # fmt: skip
        run = make_run(
            number, params={}, tags={}, metrics={"loss": last.value}, summaries={"loss": summary},
            run_name=f"run number {number} of many",
        )  # fmt: skip
        runs.append(run)
        by_run[run.info.run_id] = run_points
    return {"runs": runs, "history": lambda run_id: by_run[run_id]}


def compared(page: Any, publish: Callable[..., str], source: dict[str, Any], more: str = "") -> Any:
    address = publish(**source)
    ids = ",".join(run.info.run_id for run in source["runs"])
    page.goto(f"{address}/compare.html#{ids}{more}")
    drawn(page, "#panels")
    return page


def line(page: Any, box: str) -> list[tuple[float, float]]:
    path = re.findall(r'd="(M[^"]*)"[^>]*stroke-width="2"', svg(page, box))
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+),([\d.]+)", path[0])]


def test_metrics_without_steps_are_drawn_in_their_order(
    page: Any, publish: Callable[..., str]
) -> None:
    source = histories(
        2, lambda run, k: Metric(key="loss", value=1 / (k + 1 + run), timestamp=START, step=0)
    )
    compared(page, publish, source)
    box = "#panels .chart"
    across = [x for x, _ in line(page, box)]
    assert len(across) == 20 and across == sorted(across) and across[-1] - across[0] > 150
    assert "order of logging" in texts(page, box)
    ups = [y for _, y in line(page, box)]
    assert ups == sorted(ups)  # a loss that falls goes down the page


@pytest.mark.parametrize("n", [6, 7, 8, 20])
def test_the_legend_of_curves_names_every_run_in_full(
    page: Any, publish: Callable[..., str], n: int
) -> None:
    source = histories(
        n, lambda run, k: Metric(key="loss", value=run + 1 / (k + 1), timestamp=START + k, step=k)
    )
    page.set_viewport_size({"width": 390, "height": 800})
    compared(page, publish, source)
    items = page.locator("#curves .runs li")
    assert items.all_inner_texts() == [f"run number {k} of many" for k in range(n)]
    section = page.locator("#curves").bounding_box()
    for item in items.all():
        area = item.bounding_box()
        assert section["x"] <= area["x"]
        assert area["x"] + area["width"] <= section["x"] + section["width"]
        clipped = item.evaluate("node => node.scrollWidth > node.clientWidth + 1")
        assert not clipped and area["height"] > 10
    looks = items.locator("i").evaluate_all("all => all.map(i => getComputedStyle(i).background)")
    assert len(set(looks)) == n
    # The line of each run has the look of its name.
    drawing = svg(page, "#panels .chart")
    strokes = re.findall(r'<path [^>]*d="M[^"]*"[^>]*stroke-width="2"[^>]*>', drawing)
    style = {
        (re.search(r'stroke="([^"]+)"', s)[1], *re.findall(r'stroke-dasharray="([^"]*)"', s))
        for s in strokes
    }
    assert len(style) == n
    items.nth(n - 1).hover()
    until(lambda: 'stroke-width="3.5"' in svg(page, "#panels .chart"), True)


def test_a_saved_picture_of_curves_has_a_legend_of_all_runs(
    page: Any, publish: Callable[..., str], tmp_path: Path
) -> None:
    source = histories(
        8, lambda run, k: Metric(key="loss", value=run + 1 / (k + 1), timestamp=START + k, step=k)
    )
    compared(page, publish, source)
    before = svg(page, "#panels .chart")
    save = page.locator("#panels figure .save").first
    save.locator("summary").click()
    with page.expect_download() as waiting:
        save.get_by_role("button", name="SVG").click()
    waiting.value.save_as(tmp_path / "curves.svg")
    picture = (tmp_path / "curves.svg").read_text()
    assert [f">run number {k} of many</text>" in picture for k in range(8)] == [True] * 8
    spots = re.findall(r'translate\((-?[\d.]+),(-?[\d.]+)\)"[^>]*>run number', picture)
    assert len(set(spots)) == 8 and len({y for _, y in spots}) > 1  # in several lines
    height = float(re.search(r'height="([\d.]+)"', picture)[1])
    assert height > 224
    until(lambda: svg(page, "#panels .chart"), before)


@pytest.mark.parametrize("gap", [0, 1, 40])
def test_axes_of_points_within_a_moment_span_a_moment(
    page: Any, publish: Callable[..., str], gap: int
) -> None:
    source = histories(
        2, lambda run, k: Metric(key="loss", value=1 / (k + 1), timestamp=START + k * gap, step=k)
    )
    source["runs"] = [
        dataclasses.replace(run, info=dataclasses.replace(run.info, start_time=START))
        for run in source["runs"]
    ]
    compared(page, publish, source, "&across=clock")
    ticks = [text for text in texts(page, "#panels .chart") if ":" in text]
    assert ticks and len(set(ticks)) == len(ticks)
    assert all(re.fullmatch(r"06:13:(19|20)\.\d{3}", text) for text in ticks), ticks
    address = page.url.partition("/compare.html")[0]
    opened(page, address, "#x=attributes.start_time&y=metrics.loss")
    drawn(page, "#scatter")
    ticks = [text for text in texts(page, "#scatter") if ":" in text]
    assert ticks and all(text.startswith("06:13:") for text in ticks), ticks


# Values that are close --------------------------------------------------------------------------


def test_values_that_differ_never_look_alike(page: Any, publish: Callable[..., str]) -> None:
    close = [0.99999, 0.999991, 0.9999912, 0.5]
    noise = "-0.30000000000000004"
    rows: Logged = [({"rate": noise, "depth": str(k)}, {"auc": v}) for k, v in enumerate(close)]
    runs = logged(rows)
    address = publish(runs)
    opened(page, address, "#axes=metrics.auc,params.depth")
    drawn(page, "#parallel")

    def cells(name: str) -> list[str]:
        heads = [t.strip() for t in page.locator("#grid thead th").all_inner_texts()]
        return page.locator(
            f"#grid tbody tr[data-row] > :nth-child({heads.index(name) + 1})"
        ).all_inner_texts()

    expected = ["0.99999", "0.999991", "0.9999912", "0.5"]
    assert cells("auc") == expected
    assert set(expected) <= set(texts(page, "#parallel"))
    page.goto(f"{address}/compare.html#{','.join(run.info.run_id for run in runs)}")
    row = page.locator("#side tr:has(th:has-text('auc'))")
    row.wait_for()
    assert row.locator("td").all_inner_texts() == expected
    assert page.locator("#side tr:has(th:has-text('rate')) td").first.inner_text() == "-0.3"
    page.goto(f"{address}/runs/{runs[0].info.run_id}.html")
    assert page.locator(".pairs tr:has(th:has-text('rate')) td").inner_text() == "-0.3"
    assert page.locator(f'[title="{noise}"]').count() == 1


def test_ticks_of_close_values_differ(page: Any, publish: Callable[..., str]) -> None:
    rows: Logged = [({"depth": str(k)}, {"auc": 45.1 + k / 1e6}) for k in range(20)]
    opened(page, publish(logged(rows)), "#axes=metrics.auc,params.depth")
    drawn(page, "#parallel")
    ticks = [text for text in texts(page, "#parallel") if text.startswith("45.1")]
    assert len(ticks) >= 3 and len(set(ticks)) == len(ticks)
    whole = [text for text in texts(page, "#parallel") if text in map(str, range(20))]
    assert whole == ["0", "5", "10", "15"]  # round numbers, not quarters


# Names ------------------------------------------------------------------------------------------


def test_charts_are_named_for_what_they_show(page: Any, publish: Callable[..., str]) -> None:
    rows: Logged = [({"depth": str(k)}, {"auc": k / 3}) for k in range(12)]
    opened(page, publish(logged(rows)), "#x=params.depth&y=metrics.auc&goal=metrics.auc")
    drawn(page, "#parallel", "#scatter", "#importance")
    names = page.locator("[role='graphics-document']").evaluate_all(
        "all => all.map(node => node.getAttribute('aria-label'))"
    )
    assert "Parallel coordinates" in names and "Scatter, auc, depth" in names
    assert not [name for name in names if "isualization" in name]


def test_a_long_name_does_not_push_other_columns_away(
    page: Any, publish: Callable[..., str]
) -> None:
    rows: Logged = [({"depth": str(k)}, {"auc": k / 3}) for k in range(4)]
    runs = logged(rows)
    long = "x" * 300
    runs[1] = dataclasses.replace(runs[1], info=dataclasses.replace(runs[1].info, run_name=long))
    address = publish(runs)
    opened(page, address)
    until(lambda: count(page), "4 of 4 runs")
    auc = page.locator('[data-column="metrics.auc"]').bounding_box()
    assert auc["x"] + auc["width"] < 1360
    assert page.locator(f'#grid [title="{"x" * 300}"]').count() == 1
    page.goto(f"{address}/compare.html#{','.join(run.info.run_id for run in runs)}")
    head = page.locator("#side thead th")
    head.nth(4).wait_for()
    last = head.nth(4).bounding_box()
    assert last["x"] + last["width"] < 1360
    assert head.nth(2).evaluate("node => node.scrollWidth <= node.clientWidth")
    assert state(page) is not None


def test_a_box_plot_orders_numbers_before_what_is_none(
    page: Any, publish: Callable[..., str]
) -> None:
    rows: Logged = [
        ({"depth": depth}, {"auc": 0.9999 + k / 1e7})
        for k, depth in enumerate(["10", "None", "2", "auto", "9", "30"] * 2)
    ]
    lone: Logged = [({"depth": "77"}, {})]
    opened(page, publish(logged([*rows, *lone])), "#by=params.depth&of=metrics.auc")
    drawn(page, "#box")
    bands = [text for text in texts(page, "#box") if not text.startswith("0.")]
    expected = ["2", "9", "10", "30", "None", "auto"]
    assert [text for text in reversed(bands) if text in {*expected, "77"}] == expected
    ends = re.findall(r'translate\((-?[\d.]+),[-\d.]+\)"[^>]*>(0\.99[\d]*)<', svg(page, "#box"))
    spots = sorted({(float(x), text) for x, text in ends})
    for (left, text), (right, _) in itertools.pairwise(spots):
        assert right - left > 5.5 * len(text)  # labels do not touch
