"""Candidate beside incumbent: datasets, code between, curves, and charts without a browser."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gitml.entities import Dataset, Metric, ModelVersion, Run, RunData, RunInfo, RunInputs, Stage
from gitml.forge import from_remote
from gitml.formats import metric_history, run_records
from gitml.formats.model_records import VersionFile
from gitml.formats.run_records import Record
from gitml.registry import facts
from gitml.registry.facts import VersionFacts
from gitml.registry.gates.metric_direction import Direction
from gitml.registry.promotion import report_charts, review
from gitml.registry.promotion.comparison import (
    Background,
    DatasetComparison,
    VersionComparison,
    compare,
)
from tests.registry.conftest import World

HOSTILE = "</svg><script>alert(1)</script>'\"`|"


def version(
    number: int, metrics: dict[str, float], data: list[Dataset], **more: Any
) -> VersionFacts:
    info = RunInfo(run_id=f"{number:032x}", experiment_id="0", run_name="r", user_id="ada",
                   status="FINISHED", start_time=number)  # fmt: skip
    return VersionFacts(
        version=ModelVersion(
            name="Price", version=number, creation_timestamp=1, last_updated_timestamp=1, **more
        ),
        file=VersionFile(name="Price", version=number, size=number * 1000, nfiles=2),
        run=Run(
            info=info, data=RunData(metrics=metrics), inputs=RunInputs(dataset_inputs=tuple(data))
        ),
    )


def comparison(new: VersionFacts, old: VersionFacts | None, **more: Any) -> VersionComparison:
    return compare(new, old, Stage.PRODUCTION, background=Background(**more))


def data(name: str, digest: str, context: str = "") -> Dataset:
    return Dataset(name=name, digest=digest, context=context)


def test_data_sets_are_compared_by_name_and_context() -> None:
    old = version(1, {}, [data("a", "1"), data("b", "1"), data("c", "1", "eval")])
    new = version(2, {}, [data("a", "1"), data("b", "2"), data("c", "2", "train"), data("a", "0")])
    rows = comparison(new, old).datasets
    assert rows == (
        DatasetComparison(name="a", context="", candidate="0, 1", incumbent="1", change="changed"),
        DatasetComparison(name="b", context="", candidate="2", incumbent="1", change="changed"),
        DatasetComparison(name="c", context="eval", candidate="", incumbent="1", change="removed"),
        DatasetComparison(name="c", context="train", candidate="2", incumbent="", change="added"),
    )
    assert [row.change for row in comparison(old, old).datasets] == ["same"] * 3


def test_outcome_follows_the_better_direction_and_is_silent_without_a_direction() -> None:
    old = version(1, {"rmse": 2, "n": 1, "r2": 0.5, "same": 1, "nan": math.nan, "gone": 1}, [])
    new = version(2, {"rmse": 3, "n": 2, "r2": 0.6, "same": 1, "nan": 1.0}, [])
    result = comparison(new, old, better={"n": Direction.LOWER})
    assert {row.metric: (row.outcome, row.better_from) for row in result.metrics} == {
        "rmse": ("worse", "name"), "n": ("worse", "declared"), "r2": ("better", "name"),
        "same": ("same", ""), "nan": (None, ""), "gone": (None, ""),
    }  # fmt: skip
    assert (result.verdict, result.size_difference) == ("no gates", 1000)
    alone = comparison(new, None)
    assert (alone.incumbent, alone.incumbent_version, alone.size_difference) == (None, None, None)


def test_a_commit_that_is_none_leads_nowhere() -> None:
    good, bad = "a" * 40, "--output=/x"
    new, old = version(2, {}, [], code_commit=good), version(1, {}, [], code_commit="b" * 40)
    address = "https://github.com/team/prices"
    forge = from_remote(address)
    assert forge
    link = comparison(new, old, forge=forge).code.link
    assert link == f"{address}/compare/{'b' * 40}...{good}"
    forged = replace(old, version=replace(old.version, code_commit=bad))
    assert comparison(new, forged, forge=forge).code.link == ""


def test_commits_between_two_versions_are_counted(world: World) -> None:
    old = world.git("rev-parse", "HEAD")
    for subject in ("One", "Two | `x`"):
        world.git("commit", "-q", "--allow-empty", "-m", subject)
    new = world.git("rev-parse", "HEAD")
    count, subjects = review.code_between(world.repo, old, new)
    assert (count, [line.partition(" ")[2] for line in subjects]) == (2, ["Two | `x`", "One"])
    assert review.code_between(world.repo, "f" * 40, new) == (None, ())
    assert review.code_between(world.repo, "", new) == (None, ())


def test_curves_are_read_from_the_run_and_drawn_with_any_name(world: World) -> None:
    run = world.run()
    points = tuple(
        Metric(key=key, value=step / 2, timestamp=step, step=step)
        for key in (HOSTILE, "rmse")
        for step in range(3)
    )
    folder = run_records.run_folder("0", run.info.run_id)
    files = {
        f"{folder}/run.json": run_records.run_to_json(Record(run=run)),
        f"{folder}/metrics.jsonl": metric_history.to_jsonl(points),
    }
    world.branch.update(lambda tip: (files, "curves\n"))
    registered = world.registry.register("Price", world.model(run=run))
    curves = facts.curves(world.repo, world.branch, registered)
    assert sorted(curves, key=lambda p: (p.key, p.step)) == sorted(
        points, key=lambda p: (p.key, p.step)
    )

    old = version(1, {HOSTILE: 1.0, "rmse": 2.0}, [])
    new = version(2, {HOSTILE: 2.0, "rmse": 1.0}, [])
    drawn = dict(report_charts.pictures(comparison(new, old), {1: curves, 2: curves}))
    stem = "Price-v2-production"
    assert set(drawn) == {
        f"{stem}-{what}.{kind}"
        for what in ("differences", "curve-1", "curve-2")
        for kind in ("svg", "png")
    }
    assert not [name for name, picture in drawn.items() if b"<script" in picture]
    assert b">rmse<" in drawn[f"{stem}-curve-1.svg"]  # what is compared comes first
    assert all(drawn[f"{stem}-{what}.png"][:4] == b"\x89PNG" for what in ("differences", "curve-1"))
