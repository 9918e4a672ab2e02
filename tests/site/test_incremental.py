"""Build over an old site: whatever it showed, the result equals that of a fresh build."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.entities import Experiment, Run
from gitml.forge import NO_FORGE, from_remote
from gitml.site import SiteOptions, build
from gitml.site.options import ShardSizes
from tests.site.conftest import START
from tests.site.memory_source import MemorySource
from tests.site.test_build import snapshot

RUNS = 14
SMALL = ShardSizes(newest=3, block=4, small_block=2, older=3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The contents of a repository."""

    runs: frozenset[int]
    renamed: frozenset[int]
    live: frozenset[int]
    parents: dict[int, int]
    pages: int
    experiment: str
    direction: str
    title: str
    forge: str
    models: bool


def numbers(most: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(0, RUNS - 1), max_size=most)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "runs": numbers(RUNS),
    "renamed": numbers(2),
    "live": numbers(2),
    "parents": st.dictionaries(st.integers(4, RUNS - 1), st.integers(0, 3), max_size=2),
    "pages": st.sampled_from([2, 5, 50]),
    "experiment": st.sampled_from(["fuel economy", "fuel"]),
    "direction": st.sampled_from(["lower", "higher", ""]),
    "title": st.sampled_from(["Fuel", "Fuel & weather"]),
    "forge": st.sampled_from(["", "https://forge.example/team/fuel"]),
    "models": st.booleans(),
}
begin = st.builds(State, **{**FIELDS, "runs": st.just(frozenset(range(RUNS)))})
changes = st.lists(
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), FIELDS[name])),
    min_size=1,
    max_size=4,
)


def source_of(
    state: State, content: Callable[..., MemorySource], run: Callable[..., Run]
) -> MemorySource:
    """Return the source of a state."""
    runs = {}
    for number in sorted(state.runs):
        tags = {"team": "blue"}
        if number in state.parents:
            tags["mlflow.parentRunId"] = run(state.parents[number]).info.run_id
        name = {"run_name": f"renamed-{number}"} if number in state.renamed else {}
        example = run(number, tags=tags, **name)
        runs[example.info.run_id] = example
    live = {run(number).info.run_id for number in state.live}
    committed = {key: "" if key in live else _oid(example) for key, example in runs.items()}
    models: dict[str, Any] = {} if state.models else {"models": []}
    return content(
        RUNS,
        runs=sorted(runs.values(), key=lambda example: -example.info.start_time),
        experiments=[Experiment(experiment_id="fuel", name=state.experiment, creation_time=START)],
        run_oid=lambda key: committed.get(key, ""),
        better=lambda metric: state.direction,
        directions_fingerprint=state.direction,
        title=state.title,
        forge=from_remote(state.forge) or NO_FORGE,
        **models,
    )


def _oid(run: Run) -> str:
    return hashlib.sha256(repr(run).encode()).hexdigest()


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=begin, changes=changes)
def test_build_over_an_old_site_equals_a_fresh_build(
    content: Any,
    example_run: Any,
    options: SiteOptions,
    state: State,
    changes: list[tuple[str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        grown, fresh = Path(parent) / "grown", Path(parent) / "fresh"
        look = dataclasses.replace(options, run_pages=state.pages, sizes=SMALL)
        build(source_of(state, content, example_run), grown, options=look)
        for name, value in changes:
            state = dataclasses.replace(state, **{name: value})
            look = dataclasses.replace(look, run_pages=state.pages)
            for folder in (grown, fresh):
                build(source_of(state, content, example_run), folder, options=look)
            assert snapshot(grown) == snapshot(fresh)
            shutil.rmtree(fresh)
