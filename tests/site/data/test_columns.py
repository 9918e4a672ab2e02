"""Runs become columns and columns become scripts without losing or bending a value."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

from hypothesis import given, strategies as st

from gitml.entities import Metric, MetricSummary
from gitml.site.data import columns
from gitml.site.options import ShardSizes
from gitml.site.pages import run_view
from tests.site.memory_source import MemorySource

KEYS = st.one_of(st.text(max_size=20), st.sampled_from(["__proto__", "</script>", "a.b", ""]))
NUMBERS = st.lists(st.one_of(st.none(), st.floats()), max_size=60)
TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "</script>", ""]), st.text()))


def unscript(script: bytes) -> tuple[str, Any]:
    """Read a data script as the page does."""
    text = script.decode("ascii")
    assert text.startswith("gitml.push(") and text.endswith(");\n")
    assert "<" not in text
    inside = text.removeprefix("gitml.push(").removesuffix(");\n")
    key, value = json.loads(f"[{inside}]")
    if isinstance(value, str):
        value = json.loads(gzip.decompress(base64.b64decode(value)))
    return key, value


def decode(column: dict[str, Any]) -> list[Any]:
    """Read a column as the page does."""
    if "x" in column:
        return [float(v) if isinstance(v, str) else v for v in column["x"]]
    if "t" in column:
        return list(column["t"])
    return [None if k < 0 else column["d"][k] for k in column["i"]]


def same(left: list[Any], right: list[Any]) -> bool:
    def plain(value: Any) -> Any:
        return "nan" if isinstance(value, float) and math.isnan(value) else value

    return [plain(v) for v in left] == [plain(v) for v in right]


@given(KEYS, KEYS, NUMBERS)
def test_numbers_survive_encoding(key: str, name: str, values: list[Any]) -> None:
    table = [columns.Column(kind="metrics", name=name, values=values)]
    got_key, got = unscript(columns.script(key, columns.encode(table, len(values))))
    assert (got_key, got["n"], got["columns"]) == (key, len(values), [["metrics", name]])
    assert same(decode(got["values"][0]), values)


@given(KEYS, TEXTS)
def test_texts_survive_encoding(name: str, values: list[Any]) -> None:
    table = [columns.Column(kind="params", name=name, values=values)]
    _, got = unscript(columns.script("t", columns.encode(table, len(values))))
    assert decode(got["values"][0]) == values


def test_long_scripts_are_compressed_to_the_same_bytes() -> None:
    value = {"text": "abc" * ShardSizes().plain_bytes}
    script = columns.script("key", value)
    assert len(script) < 2_000
    assert unscript(script) == ("key", value)
    assert script == columns.script("key", value)


def test_a_run_is_spread_over_attribute_metric_param_and_tag_columns(example_run: Any) -> None:
    table = {
        (c.kind, c.name): list(c.values) for c in columns.columns([example_run(0), example_run(1)])
    }
    assert table["attributes", "run_name"] == ["forest-0", "tree-1"]
    assert table["attributes", "duration"] == [1500, 2300]
    assert table["params", "max_depth"] == ["2", "3"]
    assert table["metrics", "rmse"] == [example_run(n).data.metrics["rmse"] for n in (0, 1)]
    assert table["tags", "team"] == ["blue", "green"]


def test_key_is_none_for_runs_without_it(example_run: Any) -> None:
    runs = [example_run(0, params={"only": "here"}), example_run(1)]
    table = {(c.kind, c.name): list(c.values) for c in columns.columns(runs)}
    assert table["params", "only"] == ["here", None]


def test_notes_and_long_texts_do_not_weigh_on_the_table(example_run: Any) -> None:
    run = example_run(0, params={"long": "x" * 100_000}, tags={columns.NOTE_TAG: "note"})
    table = {(c.kind, c.name): c.values[0] for c in columns.columns([run])}
    assert len(table["params", "long"]) == columns.CELL_CHARS
    assert ("tags", columns.NOTE_TAG) not in table


def test_full_shards_stay_the_same_when_runs_are_added(example_run: Any) -> None:
    small = ShardSizes(newest=3, block=6, small_block=2)
    runs = [example_run(n) for n in range(24, 0, -1)]
    sizes, before = {}, list(columns.shards(runs[20:], small))
    for count in range(4, 25):
        now = list(columns.shards(runs[24 - count :], small))
        sizes[count] = [len(part) for part in now]
        assert [run for part in now for run in part] == runs[24 - count :]
        large = [part for part in before if len(part) == 6]
        assert now[len(now) - len(large) :] == large
        before = now
    assert sizes[18] == [3, 1, 2, 6, 6]
    assert [sizes[19], sizes[20], sizes[21]] == [[3, 2, 2, 6, 6], [3, 1, 2, 2, 6, 6], [3, 6, 6, 6]]


def test_thinning_keeps_ends_and_spikes() -> None:
    points = [Metric(key="m", value=0.0, timestamp=n, step=n) for n in range(10_000)]
    points[777] = Metric(key="m", value=99.0, timestamp=777, step=777)
    points[778] = Metric(key="m", value=math.nan, timestamp=778, step=778)
    thinned = columns.thin(points, 500)
    assert len(thinned) <= 500
    assert [thinned[0], points[777], thinned[-1]] == [
        points[0],
        *[p for p in thinned if p.value],
        points[-1],
    ]


def test_curves_name_values_that_are_not_finite() -> None:
    values = [1.0, math.nan, math.inf, -math.inf]
    points = [Metric(key="m", value=v, timestamp=1000 + n, step=n) for n, v in enumerate(values)]
    single = Metric(key="one", value=1.0, timestamp=1000)
    assert columns.curves([*points, single], 1000) == [
        ["m", [0, 1, 2, 3], [0, 1, 2, 3], [1.0, "NaN", "Infinity", "-Infinity"]]
    ]


def test_points_without_steps_are_drawn_in_the_order_they_were_logged() -> None:
    values = [3.0, 1.0, 2.0]
    points = [Metric(key="loss", value=v, timestamp=5, step=0) for v in values]
    assert columns.curves(points, 5) == [["loss", [0, 1, 2], [0, 0, 0], values, True]]
    late = [Metric(key="loss", value=v, timestamp=5, step=9 - k) for k, v in enumerate(values)]
    assert columns.curves(late, 5) == [["loss", [7, 8, 9], [0, 0, 0], [2.0, 1.0, 3.0]]]


def test_metrics_that_stand_together_are_written_apart(example_run: Any) -> None:
    run = example_run(
        0,
        metrics={"auc": 0.99999},
        summaries={
            "auc": MetricSummary(last=0.99999, step=1, timestamp=1, min=0.5, max=0.999991, count=2)
        },
    )
    source = MemorySource(runs=[run], better=lambda metric: "higher")
    (row,) = run_view.metric_rows(source, run)
    assert (row.last, row.best, row.min, row.max) == ("0.99999", "0.999991", "0.5", "0.999991")
