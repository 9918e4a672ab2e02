"""Metrics over commits: steps are found where they are, and are named with their commit."""

from __future__ import annotations

import dataclasses
import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given, strategies as st
from playwright.sync_api import expect

from gitml.entities import Source
from gitml.site import build
from gitml.site.catalogue import Catalogue
from gitml.site.charts import change_points
from gitml.site.charts.change_points import Piece, pieces
from gitml.site.options import SiteOptions
from gitml.site.pages import feed, timeline
from gitml.site.source import CodeCommit

VALUES = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), max_size=25)
ATOM = "{http://www.w3.org/2005/Atom}"


def cost(values: list[float]) -> float:
    return sum(abs(value - median(values)) for value in values)


@given(VALUES.filter(bool))
def test_distances_to_the_median_are_summed_up_as_the_series_grows(values: list[float]) -> None:
    for stop, value in change_points._costs(values, 0):
        assert value == pytest.approx(cost(values[:stop]), rel=1e-9, abs=1e-6)


@given(VALUES)
def test_pieces_cover_the_series_and_no_other_cut_is_cheaper(values: list[float]) -> None:
    result = pieces(values)
    assert [piece.start for piece in result] == [0, *(piece.stop for piece in result)][:-1]
    assert (result[-1].stop if result else 0) == len(values)
    assert all(piece.level == median(values[piece.start : piece.stop]) for piece in result)
    if len(values) < 2 * change_points.SHORTEST:
        return
    assert all(piece.stop - piece.start >= change_points.SHORTEST for piece in result)
    price = change_points._price(values)
    total = sum(cost(values[piece.start : piece.stop]) for piece in result) + price * (
        len(result) - 1
    )
    assert total <= cost(values) + 1e-6
    for position in range(change_points.SHORTEST, len(values) - change_points.SHORTEST + 1):
        assert total <= cost(values[:position]) + cost(values[position:]) + price + 1e-6


@given(st.integers(0, 10_000))
def test_step_is_detected_within_a_commit_and_outliers_are_ignored(seed: int) -> None:
    chance = random.Random(seed)
    position = chance.randint(10, 30)
    values = [chance.gauss(5 if n < position else 6, 0.1) for n in range(40)]
    values[chance.choice((3, 36))] = 50
    result = pieces(values)
    assert len(result) == 2 and abs(result[1].start - position) <= 1


def test_noise_alone_makes_no_step() -> None:
    chance = random.Random(7)
    series = [[chance.gauss(5, 1) for _ in range(60)] for _ in range(60)]
    assert sum(len(pieces(values)) > 1 for values in series) <= 2


def test_small_moves_without_noise_are_detected() -> None:
    assert pieces([0.9] * 5 + [0.899] * 2) == [
        Piece(start=0, stop=5, level=0.9),
        Piece(start=5, stop=7, level=0.899),
    ]
    assert pieces([0.9, 0.9, 0.9, 0.9 + 1e-12, 0.9 + 1e-12]) == [Piece(start=0, stop=5, level=0.9)]
    assert pieces([]) == []


@given(st.lists(st.floats(-1e200, 1e200), min_size=1))
def test_any_values_are_drawn_inside_the_drawing(values: list[float]) -> None:
    scale = timeline._Scale.over(values)
    assert all(timeline._TOP <= scale.y(value) <= 240 - timeline._BOTTOM for value in values)
    assert 1 <= len(scale.ticks()) <= 7


def line(count: int) -> list[CodeCommit]:
    """The newest commit first; commit 12 makes things worse."""
    return [
        CodeCommit(
            commit=f"{number:040x}",
            timestamp=1_772_000_000_000 + number * 86_400_000,
            author="Ada <b>",
            subject=f"Change {number} </script>",
        )
        for number in reversed(range(count))
    ]


def measured(content: Any, example_run: Any, **more: Any) -> Any:
    """Two runs at each but every fifth of 20 commits; rmse goes up by 1 with commit 12."""
    runs = []
    for number in range(20):
        if number % 5 == 4:
            continue
        for seed in range(2):
            rmse = 3.0 + 0.01 * ((number * 7 + seed * 3) % 5) + (number >= 12)
            source = Source(name="train.py", commit=f"{number:040x}")
            metrics = (
                {"rmse": rmse, "r2": 0.5, "width": rmse, "once": 1.0} if number else {"rmse": rmse}
            )
            ident = 2_000 + number * 2 + seed
            runs.append(
                example_run(ident, metrics=metrics, source=source, summaries={}, status="FINISHED")
            )
    runs.append(example_run(1, source=dataclasses.replace(source, dirty=True)))
    runs.append(example_run(2, source=dataclasses.replace(source, commit="f" * 40)))
    runs.append(example_run(3, source=source, status="FAILED"))
    return content(
        1, runs=runs, models=[], commits=lambda: line(20), history=lambda key: (), **more
    )


def test_a_step_is_named_with_its_commit_and_its_direction(content: Any, example_run: Any) -> None:
    catalogue = Catalogue.of(measured(content, example_run), 10)
    view = timeline.timeline_view(catalogue, catalogue.experiments["fuel"], line(20))
    assert (view.commits, view.runs) == (16, 32)
    assert (view.dirty, view.elsewhere, view.unfinished) == (1, 1, 1)
    by_name = {metric.name: metric for metric in view.metrics}
    (step,) = by_name["rmse"].steps
    assert (step.verdict, step.commit.commit, step.between) == ("regression", f"{12:040x}", 0)
    assert step.relative == "+33 %"
    assert step.link.address == f"https://github.com/example/fuel/commit/{12:040x}"
    assert [step.verdict for step in by_name["width"].steps] == ["change"]
    assert by_name["r2"].steps == ()
    assert by_name["rmse"].points[0].label == f"{0:08x} Change 0 </script>: 3.015, median of 2 runs"


def test_the_feed_is_atom_with_stable_ids_and_absolute_links(
    content: Any, example_run: Any, options: SiteOptions, tmp_path: Path
) -> None:
    full = measured(content, example_run, title="A \x00 & <b>")
    published = dataclasses.replace(options, base_url="https://team.example/site/")
    build(full, tmp_path / "one", options=published)
    root = ElementTree.parse(tmp_path / "one" / "feed.xml").getroot()
    assert root.tag == f"{ATOM}feed"
    assert root.findtext(f"{ATOM}title") == "A  & <b>: regressions"
    assert root.findtext(f"{ATOM}updated") == "2026-03-09T06:13:20Z"
    (entry,) = root.findall(f"{ATOM}entry")
    assert str(entry.findtext(f"{ATOM}title")).startswith("rmse of fuel economy went from 3.0")
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Ada <b>"
    assert str(entry.findtext(f"{ATOM}id")).startswith("urn:uuid:")
    (link,) = entry.findall(f"{ATOM}link")
    address = link.attrib["href"].removeprefix("https://team.example/site/")
    assert (tmp_path / "one" / address).is_file()
    build(full, tmp_path / "two", options=options)
    other = ElementTree.parse(tmp_path / "two" / "feed.xml").getroot()
    assert other.findtext(f"{ATOM}entry/{ATOM}id") == entry.findtext(f"{ATOM}id")
    assert {node.attrib["href"] for node in other.iter(f"{ATOM}link")} == {
        "feed.xml", "index.html", address,
    }  # fmt: skip


def test_a_feed_without_regressions_is_whole() -> None:
    root = ElementTree.fromstring(feed.atom("t", "", []))
    assert [node.tag.removeprefix(ATOM) for node in root] == [
        "title",
        "id",
        "updated",
        "link",
        "link",
    ]


@pytest.mark.browser
def test_the_page_is_reached_and_says_which_commit_it_was(
    page: Any, content: Any, example_run: Any, options: SiteOptions, tmp_path: Path
) -> None:
    build(measured(content, example_run), tmp_path / "site", options=options)
    page.goto((tmp_path / "site" / "index.html").as_uri())
    worse = page.get_by_role("region", name="Regressions").get_by_role("link").first
    expect(worse).to_contain_text(
        "rmse of fuel economy went from 3.015 to 4.025 (+33 %) with 00000000"
    )
    page.get_by_role("link", name="fuel economy", exact=True).first.click()
    page.get_by_role("link", name="Metrics over commits").click()
    expect(page.locator("h1")).to_have_text("fuel economy")
    expect(page.locator("svg circle")).to_have_count(16 + 3 * 15)
    steps = page.get_by_role("region", name="Steps of rmse").get_by_role("row")
    expect(steps.nth(1)).to_contain_text("regression")
    expect(steps.nth(1)).to_contain_text("Change 12 </script>")
    expect(page.locator("p", has_text="Left out: 1 with uncommitted changes")).to_be_visible()
