"""What leaves an experiment's page: CSV, JSON, Markdown, and the page itself in a frame."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from gitml.site import build
from gitml.site.options import SiteOptions

pytestmark = pytest.mark.browser
STATE = (
    "#q=params.model+%3D+'tree'&sort=-metrics.rmse&cols=attributes.run_name,metrics.rmse,"
    "params.max_depth,attributes.start_time"
)


def experiment(site: Path, name: str = "fuel-*") -> str:
    return next((site / "experiments").glob(name)).relative_to(site).as_posix()


def saved(page: Any, label: str) -> tuple[str, str]:
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    page.keyboard.press("Escape")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes().decode()


@pytest.fixture(params=["file", "http"])
def home(request: pytest.FixtureRequest, site: Path, http: str) -> str:
    return f"{site.as_uri()}/" if request.param == "file" else http


def test_export_saves_the_visible_table_in_full_precision(
    page: Any, home: str, site: Path, content: Any
) -> None:
    page.goto(f"{home}{experiment(site)}{STATE}")
    expect(page.locator("#count")).to_contain_text("20 of 60 runs")
    runs = [
        run
        for run in content().runs
        if run.info.experiment_id == "fuel" and run.data.params["model"] == "tree"
    ]
    runs.sort(key=lambda run: -run.data.metrics["rmse"])
    name, text = saved(page, "Save as CSV")
    assert name == f"{Path(experiment(site)).stem}.csv"
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["run_id", "run_name", "metrics.rmse", "params.max_depth", "start_time"]
    assert [row["run_id"] for row in rows] == [run.info.run_id for run in runs]
    assert [float(row["metrics.rmse"]) for row in rows] == [r.data.metrics["rmse"] for r in runs]
    assert all(row["start_time"].endswith("Z") for row in rows)
    name, text = saved(page, "Save as JSON")
    assert name.endswith(".json")
    assert [(row["run_name"], row["metrics.rmse"]) for row in json.loads(text)] == [
        (run.info.run_name, run.data.metrics["rmse"]) for run in runs
    ]


def test_texts_that_look_like_formulas_stay_texts(
    page: Any, content: Any, example_run: Any, options: SiteOptions, tmp_path: Path
) -> None:
    texts = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2",
        "-x",
        "@sum",
        "\tx",
        'say "hi", you',
        "a\nb",
        "-1e5",
    ]
    runs = [
        example_run(n, params={"t": text, "__proto__": "p"}, metrics={"m": value}, summaries={})
        for n, (text, value) in enumerate(
            zip(texts, [math.nan, -math.inf, -2.5, *[0.0] * 6], strict=True)
        )
    ]
    build(content(1, runs=runs, history=lambda key: ()), tmp_path / "site", options=options)
    address = f"{(tmp_path / 'site').as_uri()}/{experiment(tmp_path / 'site')}"
    page.goto(f"{address}#cols=params.t,params.__proto__,metrics.m&sort=-attributes.start_time")
    _, text = saved(page, "Save as CSV")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["params.t"] for row in rows] == [
        "'=1+1", "'+cmd|' /C calc'!A0", "-2", "'-x", "'@sum", "'\tx", 'say "hi", you', "a\nb",
        "-1e5",
    ]  # fmt: skip
    assert [row["metrics.m"] for row in rows][:3] == ["NaN", "-Infinity", "-2.5"]
    _, text = saved(page, "Save as JSON")
    assert [row["params.t"] for row in json.loads(text)] == texts
    assert {row["params.__proto__"] for row in json.loads(text)} == {"p"}


def test_the_table_is_copied_as_markdown(page: Any, http: str, site: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{http}{experiment(site)}{STATE}")
    expect(page.locator("#count")).to_contain_text("20 of 60 runs")
    page.get_by_text("Export", exact=True).click()
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("status").get_by_text("Copied.")).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[:2] == [
        "| run | rmse | max\\_depth | started (UTC) |",
        "| --- | --- | --- | --- |",
    ]
    assert len(lines) == 22 and lines[2].startswith("| tree-")


def test_hostile_names_stay_text_in_every_export(
    page: Any, hostile_site: Path, hostile_http: str
) -> None:
    from markdown_it import MarkdownIt

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for page_file in sorted((hostile_site / "experiments").glob("*.html")):
        page.goto(f"{hostile_http}experiments/{page_file.name}")
        if not page.locator("#grid").count():
            continue
        expect(page.locator("#count")).to_contain_text("runs")
        _, text = saved(page, "Save as JSON")
        assert json.loads(text)
        page.get_by_text("Export", exact=True).click()
        page.get_by_role("button", name="Copy as Markdown").click()
        expect(page.get_by_role("status").get_by_text("Copied.")).to_be_visible()
        html = MarkdownIt().enable("table").render(page.evaluate("navigator.clipboard.readText()"))
        assert "<script" not in html and "<img" not in html and html.count("<table>") == 1
        break


def test_a_bare_page_is_only_its_content_and_leads_out_of_its_frame(
    page: Any, home: str, site: Path
) -> None:
    page.goto(f"{home}{experiment(site)}?bare=1{STATE}")
    expect(page.locator("#count")).to_contain_text("20 of 60 runs")
    for part in (".bar", ".foot", ".head"):
        expect(page.locator(part)).to_be_hidden()
    page.locator("#filter").fill("run_name = 'tree-4'")
    expect(page.locator("#count")).to_contain_text("1 of 60 runs")
    assert "?bare=1#" in page.url
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="tree-4").click()
    expect(opened.value.locator("h1")).to_have_text("tree-4")
    expect(opened.value.locator(".bar")).to_be_visible()
