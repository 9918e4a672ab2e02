"""Charts in a real browser: brushes, axes, the run under the pointer, pictures, paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.site.test_browser import axis, count, drag, experiment, runs, state, until

pytestmark = pytest.mark.browser


@pytest.fixture
def charts(page: Any, site: Path) -> Any:
    """The page of an experiment of sixty runs, its charts drawn."""
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    drawn(page, "#parallel", "#scatter")
    return page


def drawn(page: Any, *boxes: str) -> None:
    for box in boxes:
        page.locator(f"{box} canvas").first.wait_for(state="attached")


def svg(page: Any, box: str) -> str:
    """Give a chart as it is drawn now."""
    text = page.evaluate("id => document.querySelector(id).chart.svg()", box)
    assert isinstance(text, str)
    return text


def dots(page: Any) -> list[tuple[str, str]]:
    """Give where the points of the scatter lie."""
    paths = re.findall(r'd="([^"]*h0?\.01[^"]*)"[^>]*stroke-width="9"', svg(page, "#scatter"))
    return re.findall(r"M([\d.]+),([\d.]+)", " ".join(paths))


def lit(page: Any, box: str) -> bool:
    """Tell whether a chart shows a run on a halo."""
    return 'stroke-width="3.5"' in svg(page, box)


def names(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("#parallel summary bdi").all_inner_texts()]


def test_charts_are_drawn_before_anyone_scrolls_to_them(charts: Any) -> None:
    assert charts.evaluate("scrollY") == 0
    assert charts.locator("#scatter").bounding_box()["y"] > 900


def test_a_run_under_the_pointer_lights_up_in_every_chart_and_in_the_table(charts: Any) -> None:
    row = charts.locator("#grid tbody tr[data-row='4']")
    row.hover()
    for box in ("#parallel", "#scatter"):
        until(lambda box=box: lit(charts, box), True)
    assert "hot" in row.get_attribute("class")
    charts.mouse.move(5, 5)
    until(lambda: lit(charts, "#parallel"), False)
    row.get_by_role("checkbox").focus()
    until(lambda: lit(charts, "#scatter"), True)
    row.get_by_role("checkbox").blur()
    until(lambda: lit(charts, "#scatter"), False)
    x, top, bottom = axis(charts, 3, 6)
    for share in range(40):  # there is a line somewhere along the way
        charts.mouse.move(x + 40, top + share * (bottom - top) / 40)
        if lit(charts, "#parallel"):
            break
    until(lambda: lit(charts, "#scatter"), True)
    name = charts.locator(".tip b").inner_text()
    assert re.fullmatch(r"(forest|tree|linear)-\d+", name)


def test_a_click_on_a_point_opens_its_run(charts: Any) -> None:
    charts.locator("#scatter").scroll_into_view_if_needed()
    box = charts.locator("#scatter canvas").bounding_box()
    marks = dots(charts)
    assert len(marks) == 60
    x, y = (float(text) for text in marks[0])
    charts.mouse.move(box["x"] + 64 + x, box["y"] + 30 + y)
    until(lambda: charts.locator(".tip b").is_visible(), True)
    name = charts.locator(".tip b").inner_text()
    charts.mouse.down()
    charts.mouse.up()
    until(lambda: charts.locator("h1").inner_text(), name)


def test_axes_are_moved_by_pointer_and_keys_and_the_link_keeps_them(charts: Any) -> None:
    axis(charts, 0, 6)  # scrolls there
    before = names(charts)
    box = charts.locator("#parallel summary").nth(2).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    gap = (charts.locator("#parallel canvas").bounding_box()["width"] - 56) / 5
    charts.mouse.move(x, y)
    charts.mouse.down()
    for part in range(1, 6):
        charts.mouse.move(x + gap * 2 * part / 5, y)
    charts.mouse.up()
    moved = [*before[:2], *before[3:5], before[2], *before[5:]]
    until(lambda: names(charts), moved)
    assert state(charts)["axes"].split(",")[4] == f"params.{before[2]}"
    charts.locator("#parallel summary").first.focus()
    charts.keyboard.press("ArrowRight")
    until(lambda: names(charts), [moved[1], moved[0], *moved[2:]])
    assert charts.evaluate("document.activeElement.textContent") == moved[0]
    charts.go_back()
    until(lambda: names(charts), moved)
    charts.reload()
    drawn(charts, "#parallel")
    assert names(charts) == moved


def test_an_axis_is_flipped_and_gets_another_scale(charts: Any) -> None:
    axis(charts, 0, 6)
    menu = charts.locator("#parallel .axis").nth(4)
    assert menu.inner_text() == "rmse"
    for item, look in (("Flip", "-metrics.rmse"), ("Log scale", "-metrics.rmse:log")):
        menu.locator("summary").click()
        menu.get_by_role("button", name=item).click()
        until(lambda look=look: state(charts)["axes"].split(",")[4], look)
        until(lambda: charts.locator("#parallel .axis summary").nth(4).inner_text(), "rmse ↓")
    x, top, bottom = axis(charts, 4, 6)
    charts.mouse.move(x, top - 3)  # now the lowest values
    charts.mouse.down()
    charts.mouse.move(x, top + (bottom - top) / 4)
    charts.mouse.move(x, top + (bottom - top) / 4 + 1)
    charts.mouse.up()
    until(lambda: "q" in state(charts), True)
    low, high = map(float, re.findall(r"[\d.]+(?= |$)", state(charts)["q"]))
    assert 2.6 < low < 2.63 and 2.8 < high < 2.95


def test_a_brush_is_moved_by_dragging_it(charts: Any) -> None:
    x, top, bottom = axis(charts, 4, 6)
    middle = (top + bottom) / 2

    def drag(start: float, end: float) -> tuple[float, float]:
        charts.mouse.move(x, start)
        charts.mouse.down()
        charts.mouse.move(x, (start + end) / 2)
        charts.mouse.move(x, end)
        charts.mouse.up()
        low, high = re.findall(r"= ([\d.]+)", state(charts)["q"])
        return float(low), float(high)

    first = drag(middle, middle + 60)
    matches = count(charts)
    second = drag(middle + 30, middle - 50)
    assert second[0] > first[0]
    assert second[1] - second[0] == pytest.approx(first[1] - first[0], abs=0.02)
    until(lambda: count(charts) != matches, True)
    charts.locator("#parallel summary").first.focus()
    charts.keyboard.press("Enter")
    charts.keyboard.press("Tab")
    charts.keyboard.press("Enter")  # a key's click, after one of the pointer
    until(lambda: state(charts).get("axes", "")[:1], "-")


def test_an_axis_takes_several_ranges(charts: Any) -> None:
    x, top, bottom = axis(charts, 4, 6)
    part = (bottom - top) / 10
    drag(charts, x, top + part, top + 2 * part)
    filtered(charts, r"metrics.rmse >= [\d.]+ AND metrics.rmse <= [\d.]+")
    until(lambda: count(charts) != "60 of 60 runs", True)
    charts.keyboard.down("Shift")
    drag(charts, x, bottom - 3 * part, bottom - part)
    charts.keyboard.up("Shift")
    two = r"\(metrics.rmse BETWEEN [\d.]+ AND [\d.]+ OR metrics.rmse BETWEEN [\d.]+ AND [\d.]+\)"
    high, low = re.findall(r"BETWEEN ([\d.]+)", filtered(charts, two))
    charts.mouse.move(5, 5)
    until(lambda: brushes(charts), 2)
    drag(charts, x, top + 1.5 * part, top + 2.5 * part)  # moves the upper one
    until(lambda: f"BETWEEN {high} " in state(charts)["q"], False)
    assert f"BETWEEN {low} " in filtered(charts, two)
    charts.reload()
    drawn(charts, "#parallel")
    until(lambda: brushes(charts), 2)
    x, *_ = axis(charts, 4, 6)
    charts.mouse.click(x, bottom - 2 * part)  # on the lower one
    until(lambda: brushes(charts), 1)
    until(lambda: low in state(charts)["q"], False)
    charts.mouse.click(x, bottom - 2 * part)  # beside any
    until(lambda: "q" in state(charts), False)


def filtered(page: Any, pattern: str) -> str:
    """Wait for a filter in the page's address that matches a pattern; return it."""
    until(lambda: re.fullmatch(pattern, state(page).get("q", "")) is not None, True)
    return state(page)["q"]


def brushes(page: Any) -> int:
    """Count the ranges drawn on the axes."""
    return svg(page, "#parallel").count('fill-opacity="0.22"')


@pytest.mark.parametrize("box", ["#parallel", "#scatter"])
def test_a_chart_is_saved_as_a_picture(charts: Any, tmp_path: Path, box: str) -> None:
    axis(charts, 0, 6)
    save = charts.locator(f".card:has({box}) .save")
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        save.locator("summary").click()
        with charts.expect_download() as waiting:
            save.get_by_role("button", name=kind).click()
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        assert file.read_bytes().startswith(start)
        assert (
            file.name
            == f"{'Parallel-coordinates' if box == '#parallel' else 'Scatter'}.{kind.lower()}"
        )
        if kind == "SVG" and box == "#parallel":
            assert all(f">{name}</text>" in file.read_text() for name in names(charts))


def test_paper_is_white_and_shows_every_chart(page: Any, site: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    drawn(page, "#parallel", "#scatter")
    dark = svg(page, "#scatter")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(lambda: 'fill="rgb(255, 255, 255)"' in svg(page, "#scatter").lower(), True)
    page.pdf()  # tells the page before and after
    until(lambda: svg(page, "#scatter"), dark)


def test_compared_runs_light_up_in_their_curves(page: Any, site: Path) -> None:
    ids = runs(site)
    page.goto(f"{site.as_uri()}/compare.html#{ids['forest-0']},{ids['tree-1']},{ids['linear-2']}")
    panels = "#panels figure:nth-child(2) .chart"
    drawn(page, "#parallel", "#scatter", panels)
    page.locator("#side tbody td:nth-child(3)").first.hover()
    for box in ("#parallel", "#scatter", panels):
        until(lambda box=box: lit(page, box), True)
    page.locator("#across").select_option("clock")
    until(lambda: "time (UTC)" in svg(page, panels), True)
    legend = page.locator("#curves .runs li").all_inner_texts()
    assert legend == ["forest-0", "tree-1", "linear-2"]
    more = ",".join(f"{number:032x}" for number in range(200))
    page.goto(f"{site.as_uri()}/compare.html?more#{ids['forest-0']},{more}")
    message = "The first 200 of 201 runs are compared."
    until(lambda: page.locator("#trouble").inner_text()[: len(message)], message)


def test_what_a_comparison_shows_is_in_its_address(page: Any, site: Path) -> None:
    ids = runs(site)
    chosen = f"{ids['forest-0']},{ids['tree-1']},{ids['linear-2']}"
    page.goto(f"{site.as_uri()}/compare.html#{chosen}")
    drawn(page, "#parallel", "#scatter", "#panels")
    page.get_by_label("only what differs").check()
    page.locator("#smooth").fill("0.5")
    page.locator("#y").select_option("metrics.r2")
    page.locator("#chosen-metrics summary").click()
    page.locator("#chosen-metrics").get_by_label("rmse").check()
    until(lambda: page.locator("#panels figure:visible").count(), 1)
    axes = page.locator("#parallel summary").count()
    page.locator("#axes summary").click()
    page.locator("#axes").get_by_label("r2").uncheck()
    until(lambda: page.locator("#parallel summary").count(), axes - 1)
    x, top, bottom = axis(page, 0, axes - 1)
    drag(page, x, bottom - 1, (top + bottom) / 2 + 20)
    until(lambda: brushes(page), 1)
    values = state(page)
    assert page.url.partition("#")[2].startswith(f"{chosen}&")
    assert (values["only"], values["smooth"], values["y"]) == ("on", "0.5", "metrics.r2")
    assert values["metrics"] == "rmse"
    assert values["q"].startswith("params.")
    assert "r2" not in values["axes"]

    def view() -> tuple[object, ...]:
        return (
            page.locator("#only").is_checked(),
            page.locator("#smooth").input_value(),
            page.locator("#y").input_value(),
            page.locator("#panels figure:visible").count(),
            page.locator("#parallel summary").count(),
            brushes(page),
        )

    link = page.url
    assert view() == (True, "0.5", "metrics.r2", 1, axes - 1, 1)
    page.go_back()
    until(lambda: brushes(page), 0)
    page.go_back()
    until(lambda: page.locator("#parallel summary").count(), axes)
    page.go_back()
    until(lambda: page.locator("#panels figure:visible").count(), 2)
    page.goto("about:blank")
    page.goto(link)
    drawn(page, "#parallel", "#scatter", "#panels")
    until(view, (True, "0.5", "metrics.r2", 1, axes - 1, 1))
    page.goto(f"{link}&across=nonsense&smooth=much&metrics=gone&axes=gone&x=gone")
    page.reload()
    drawn(page, "#parallel", "#scatter")
    assert page.locator("#across").input_value() == "step"


def bars(page: Any) -> dict[str, str]:
    """Give the importance of each parameter as it is written."""
    drawing = svg(page, "#importance")
    texts = re.findall(r">([^<>]+)</text>", drawing)
    figures = [text for text in texts if re.fullmatch(r"\d\.\d\d", text)]
    names = [text for text in texts if text in {"max_depth", "model", "learning_rate"}]
    return dict(zip(reversed(names), figures, strict=True))


def test_importance_is_that_of_the_rank_statistics_and_follows_the_filter(
    page: Any, site: Path, content: Any
) -> None:
    from scipy import stats

    page.goto(f"{site.as_uri()}/{experiment(site)}#goal=metrics.rmse&q=params.seed+%3D+'7'")
    drawn(page, "#importance")
    fuel_runs = [run.data for run in content().runs if run.info.experiment_id == "fuel"]

    def eta(key: str, runs: list[Any]) -> float:
        groups: dict[str, list[float]] = {}
        for run in runs:
            groups.setdefault(run.params[key], []).append(run.metrics["rmse"])
        statistic = stats.kruskal(*groups.values()).statistic
        return max(0.0, (statistic - len(groups) + 1) / (len(runs) - len(groups))) ** 0.5

    def expected(runs: list[Any]) -> dict[str, str]:
        strengths = {}
        for key in ("max_depth", "model", "learning_rate"):
            strength = eta(key, runs)
            if key != "model":
                numbers = [float(run.params[key]) for run in runs]
                rho = stats.spearmanr(numbers, [run.metrics["rmse"] for run in runs]).statistic
                strength = max(strength, abs(rho))
            strengths[key] = f"{strength:.2f}"
        return strengths

    until(lambda: bars(page), expected(fuel_runs))
    page.locator("#filter").fill("params.max_depth > 5")
    deep = [run for run in fuel_runs if int(run.params["max_depth"]) > 5]
    until(lambda: bars(page), expected(deep))


def test_a_box_plot_groups_and_splits_and_tells_its_median(charts: Any) -> None:
    drawn(charts, "#box")
    for word in ("forest", "linear", "tree"):
        assert f">{word}</text>" in svg(charts, "#box")
    charts.locator("#split").select_option("tags.team")
    until(lambda: ">green</text>" in svg(charts, "#box"), True)
    charts.locator("#by").select_option("params.max_depth")
    until(lambda: re.findall(r">(\d)</text>", svg(charts, "#box"))[:7], list("8765432"))
    charts.locator("#of-log").check()
    until(lambda: state(charts).get("of"), "metrics.r2:log")
    charts.locator("#box").scroll_into_view_if_needed()
    box = charts.locator("#box canvas").bounding_box()
    for share in range(60):
        charts.mouse.move(box["x"] + box["width"] * share / 60, box["y"] + 60)
        if charts.locator(".tip").is_visible():
            break
    until(lambda: charts.locator(".tip").is_visible(), True)


def test_a_contour_is_drawn_over_two_parameters(charts: Any) -> None:
    drawn(charts, "#contour")
    drawing = svg(charts, "#contour")
    assert drawing.count('stroke-opacity="0.25"') >= 8
    charts.locator("#filter").fill("params.max_depth = '4'")
    message = "runs at four or more places of them."
    until(lambda: charts.locator("#contour").inner_text()[-len(message) :], message)
    charts.locator("#filter").fill("")
    drawn(charts, "#contour")


def test_a_scatter_takes_log_axes_and_spreads_names(charts: Any) -> None:
    assert charts.locator("#x-log").is_checked()
    charts.locator("#x-log").uncheck()
    until(lambda: state(charts).get("x"), "params.learning_rate:lin")
    until(lambda: "linear scale" in svg(charts, "#scatter"), True)
    charts.locator("#x").select_option("params.model")
    until(lambda: "X-axis titled 'model'" in svg(charts, "#scatter"), True)
    assert charts.locator("#x-log").is_disabled()
    across = [x for x, _ in dots(charts)]
    assert len(set(across)) > 50


def test_charts_without_data_name_what_they_need(
    page: Any, content: Any, options: Any, tmp_path: Path
) -> None:
    from gitml.site import build

    build(content(1), tmp_path / "site", options=options)
    page.goto(f"{(tmp_path / 'site').as_uri()}/{experiment(tmp_path / 'site')}")
    until(lambda: page.locator("#contour").inner_text()[:25], "A contour needs two param")
    until(lambda: page.locator("#box").inner_text()[:25], "A box plot needs a parame")
    until(lambda: page.locator("#importance").inner_text()[:25], "Importance needs 8 or mor")
    for box in ("#contour", "#box", "#importance"):  # and take no more room than their words
        assert page.locator(box).bounding_box()["height"] < 80


def test_chart_regains_its_height_when_it_has_data_again(charts: Any) -> None:
    drawn(charts, "#contour", "#importance")
    sizes = {box: charts.locator(box).bounding_box() for box in ("#contour", "#importance")}
    canvases = {box: charts.locator(f"{box} canvas").bounding_box() for box in sizes}
    charts.locator("#filter").fill("params.max_depth = '4'")
    until(lambda: charts.locator(".chart.note").count() > 0, True)
    assert charts.locator("#contour").bounding_box()["height"] < 80
    charts.locator("#filter").fill("")
    drawn(charts, *sizes)
    until(lambda: charts.locator(".chart.note").count(), 0)
    for box, size in sizes.items():
        until(lambda box=box: charts.locator(f"{box} canvas").bounding_box(), canvases[box])
        assert charts.locator(box).bounding_box() == size
