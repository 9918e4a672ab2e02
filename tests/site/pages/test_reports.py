"""Saved views and reports: what a file may say, what it leads to, what it looks like."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from gitml.errors import InvalidInput
from gitml.site import build
from gitml.site.charts import static_charts
from gitml.site.data import views
from gitml.site.data.views import Chart, Key, View, key
from gitml.site.options import SiteOptions
from gitml.site.source import Document

VIEW = """\
experiment: fuel economy
title: Shallow & cheap
description: Trees that a phone can hold.
filter: params.max_depth <= 4 AND tags.team = 'blue'
sort: [params.max_depth DESC, metrics.rmse]
columns: [run_name, params.max_depth, metrics.rmse, start_time]
charts:
  - {kind: parallel, axes: [params.model, params.max_depth, metrics.rmse], colour: metrics.rmse}
  - {kind: scatter, x: params.max_depth, y: metrics.rmse, colour: params.model}
"""
REPORT = """# March <b>figures</b>

Depth **4** is enough.

```gitml
view: shallow
rows: 3
```

```python
print("not ours")
```

```gitml
view: shallow
charts: [scatter]
rows: 0
```
"""


def test_a_view_is_read() -> None:
    view = views.parse("shallow", VIEW, "views/shallow.yaml")
    assert dataclasses.replace(view, charts=()) == View(
        name="shallow",
        experiment="fuel economy",
        title="Shallow & cheap",
        description="Trees that a phone can hold.",
        filter="params.max_depth <= 4 AND tags.team = 'blue'",
        sort=("params.max_depth DESC", "metrics.rmse"),
        columns=tuple(
            map(key, ("run_name", "params.max_depth", "metrics.rmse", "attributes.start_time"))
        ),
    )
    assert view.charts[1] == Chart(
        kind="scatter",
        x=Key(kind="params", name="max_depth"),
        y=Key(kind="metrics", name="rmse"),
        colour=Key(kind="params", name="model"),
    )
    assert key("params.`a.b c`") == Key(kind="params", name="a.b c")
    assert key("tags.x.y") == Key(kind="tags", name="x.y")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "views/x.yaml: the file must be a mapping of keys, not a list."),
        ("title: y", "views/x.yaml: the file has no key 'experiment'."),
        ("experiment: 3", "views/x.yaml: experiment must be a string, not 3."),
        ("experiment: e\nfilters: y", "the file has an unknown key 'filters'."),
        (
            "experiment: e\ncharts: [{kind: pie}]",
            "charts[0].kind must be one of scatter, line, bar, box, parallel, not 'pie'.",
        ),
        ("experiment: e\ncharts: [{x: y}]", "charts[0] has no key 'kind'."),
        ("experiment: e\nsort: metrics.x", "sort must be a list, not 'metrics.x'."),
        ("experiment: e\nfilter: metrics.rmse <", "Invalid filter at character 15"),
        ("a: b: c", "views/x.yaml is not valid YAML: line 1: mapping values are not allowed"),
        (
            "!!python/object/apply:os.system [x]",
            "views/x.yaml is not valid YAML: line 1: the type 'tag:yaml.org,2002:python/object",
        ),
        ("[" * 2_000, "views/x.yaml is not valid YAML: "),
    ],
)
def test_a_view_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        views.parse("x", text, "views/x.yaml")


def test_the_schema_says_the_same() -> None:
    import yaml

    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(views.SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(VIEW), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"experiment": "e", "charts": [{"kind": "pie"}]}, schema)


@pytest.mark.parametrize("kind", ["scatter", "line", "bar", "box", "parallel"])
def test_charts_of_hostile_runs_are_inert_pictures(hostile: Any, kind: str) -> None:
    runs = hostile().runs[:11]
    names = sorted({name for run in runs for name in run.data.params})[:9]
    axes = tuple(Key(kind="params", name=name) for name in names)
    metric = Key(kind="metrics", name="rmse")
    chart = Chart(kind=kind, x=axes[0], y=metric, colour=axes[1], axes=(*axes, metric))
    specification = static_charts.spec(chart, runs)
    assert specification is not None
    used = set(re.findall(r'"(?:field)": "([^"]*)"', json.dumps(specification)))
    assert used <= {"v0", "v1", "v2", "x", "y", "y2", "c", "run", "text"}
    drawing = ElementTree.fromstring(static_charts.svg(specification))
    tags = {node.tag.rpartition("}")[2] for node in drawing.iter()}
    assert tags <= {"svg", "g", "path", "rect", "text", "line", "defs", "linearGradient", "stop",
                    "clipPath", "title"}  # fmt: skip
    attributes = {name for node in drawing.iter() for name in node.attrib}
    assert not {name for name in attributes if name.startswith("on") or name.endswith("href")}


def test_a_chart_of_nothing_is_left_out(content: Any) -> None:
    runs = content().runs
    missing, metric = Key(kind="metrics", name="gone"), Key(kind="metrics", name="rmse")
    assert static_charts.spec(Chart(kind="scatter", x=metric, y=missing), runs) is None
    assert static_charts.spec(Chart(kind="scatter", x=metric), runs) is None
    assert static_charts.spec(Chart(kind="scatter", x=metric, y=metric), []) is None
    assert static_charts.spec(Chart(kind="parallel", axes=(metric,)), runs) is None


def reporting(content: Any, report: str, view: str = VIEW, **more: Any) -> Any:
    return content(
        reports=[Document(name="2026-03", path="reports/2026-03.md", text=report)],
        views=[Document(name="shallow", path="views/shallow.yaml", text=view)],
        **more,
    )


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> Path:
    from tests.site.conftest import make_source

    folder = tmp_path_factory.mktemp("reports") / "site"
    build(reporting(make_source, REPORT), folder, options=options)
    return folder


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("view: deep", "reports/2026-03.md: there is no view 'deep'."),
        (
            "shallow",
            "reports/2026-03.md: the gitml block must be a mapping of keys, not 'shallow'.",
        ),
        ("view: shallow\nrow: 3", "the gitml block has an unknown key 'row'."),
        ("view: shallow\nrows: many", "rows must be an integer, not 'many'."),
        ("view: shallow\ncharts: scatter", "charts must be a list, not 'scatter'."),
        ("view: [", "reports/2026-03.md: a gitml block is not valid YAML"),
    ],
)
def test_a_report_that_cannot_be_filled_says_why(
    content: Any, options: SiteOptions, tmp_path: Path, block: str, message: str
) -> None:
    broken = reporting(lambda **more: content(1, **more), f"```gitml\n{block}\n```\n")
    (sentence,) = build(broken, tmp_path / "site", options=options).failures
    assert re.match(r"reports/2026-03-\w+\.html shows an error: ", sentence)
    assert message in sentence


def test_view_of_an_experiment_that_does_not_exist_is_plain_text(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    full = reporting(content, REPORT, "experiment: not fetched yet\n")
    build(full, tmp_path / "site", options=options)
    text = next((tmp_path / "site" / "reports").iterdir()).read_text()
    assert "No run is in this view." in text and not list((tmp_path / "site").glob("media/*.svg"))


@pytest.mark.browser
def test_a_report_shows_pictures_and_leads_to_the_live_view(page: Any, reported: Path) -> None:
    page.goto((reported / "index.html").as_uri())
    page.get_by_role("link", name="March <b>figures</b>").click()
    expect(page.locator("h1")).to_have_text("March <b>figures</b>")
    pictures = page.locator("figure img")
    expect(pictures).to_have_count(3)
    expect(pictures.nth(1)).to_have_attribute(
        "alt", "Scatter of rmse and max_depth, colour by model"
    )
    pictures.nth(1).scroll_into_view_if_needed()
    expect(pictures.nth(1)).to_have_js_property("complete", True)
    assert pictures.nth(1).evaluate("node => node.naturalWidth") > 600
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(page.locator("thead")).to_have_text("runmax_depthrmsestart_time")
    depths = page.locator("tbody td:nth-child(2)").all_inner_texts()
    assert depths == ["4", "4", "4"]
    expect(page.locator("pre")).to_have_text('print("not ours")\n')
    page.get_by_role("link", name="All 14").click()
    expect(page.locator("#filter")).to_have_value("params.max_depth <= 4 AND tags.team = 'blue'")
    expect(page.locator("#count")).to_have_text("14 of 60 runs")


@pytest.mark.browser
def test_an_experiment_lists_its_views(page: Any, reported: Path) -> None:
    page.goto(next((reported / "experiments").glob("fuel-*")).as_uri())
    expect(page.locator("#count")).to_have_text("60 of 60 runs")
    page.get_by_role("list", name="Saved views").get_by_role("link").click()
    expect(page.locator("#count")).to_have_text("14 of 60 runs")
    page.goto(next((reported / "experiments").glob("seattle-*")).as_uri())
    expect(page.get_by_role("list", name="Saved views")).to_have_count(0)
