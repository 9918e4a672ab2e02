"""Pages of versions and promotions: what they say, and that they hold still and stay inert."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gitml.entities import Artifact
from gitml.models.enforcement import enforce_schema
from gitml.models.schema import Schema
from gitml.site import SiteOptions, build
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.pages import home
from gitml.site.pages.promotion import decision_view, proposal_view
from gitml.site.pages.signature import SignatureField, signature_view
from gitml.site.pages.stages import stage_timeline
from gitml.site.pages.version import Relations, version_view
from tests.site.promotions import SIGNATURE
from tests.site.test_build import snapshot

HTML = "models/fuelmodel-dfe1b567"


def test_a_version_page_tells_its_review_lineage_and_use(content: Any) -> None:
    full = content()
    catalogue = Catalogue.of(full, 5000)
    newer, older = catalogue.versions["FuelModel"]
    decisions = full.decisions("FuelModel")
    page = version_view(catalogue, Relations(catalogue), newer, decisions)
    assert (page.older, page.newer, page.decided) == (
        PageLink(text="version 1", address=f"{HTML}/1.html"), None, True,
    )  # fmt: skip
    assert page.review is not None
    assert page.review.verdict == "2 of 3 gates fail"
    assert [gate.mark for gate in page.review.gates] == ["bad", "bad", "good"]
    assert page.review.runs_link == f"compare.html#{newer.run_id},{older.run_id}"
    rmse = next(row for row in page.review.metrics if row.name == "rmse")
    assert (rmse.arrow, rmse.outcome) == ("↓", "worse")
    assert [curve.name for curve in page.review.curves] == ["rmse", "loss"]
    assert [step[0] for step in page.lineage.back] == [
        "Run", "Experiment", "Code", "Uncommitted changes", "Dataset",
    ]  # fmt: skip
    ((label, (other,)),) = page.lineage.forward
    assert (label, other) == (
        "Same code", PageLink(text="FuelModel v1 (Archived)", address=f"{HTML}/1.html"),
    )  # fmt: skip
    assert dict(page.usage)["With GTO: what is where"] == (
        "gto show FuelModel --repo https://github.com/example/fuel"
    )
    assert "it'\"'\"'s" in page.ask


def test_a_version_that_nobody_proposed_is_judged_as_if(content: Any) -> None:
    full = content(decisions=lambda name: [])
    catalogue = Catalogue.of(full, 5000)
    newest = catalogue.versions["FuelModel"][0]
    assert version_view(catalogue, Relations(catalogue), newest, []).review is None
    comparison = full.proposals()[0].comparison
    full = dataclasses.replace(full, considered=lambda version: comparison)
    page = version_view(Catalogue.of(full, 5000), Relations(catalogue), newest, [])
    assert page.review is not None and (page.decided, page.promotion) == (False, None)


def test_promotions_tell_who_when_why_and_on_what_evidence(content: Any) -> None:
    full = content()
    catalogue = Catalogue.of(full, 5000)
    newest, first = (decision_view(catalogue, decision) for decision in full.decisions("FuelModel"))
    assert (newest.state, newest.forced, first.state, first.until) == (
        "live", True, "past", 1_772_000_180_000,
    )  # fmt: skip
    assert newest.facts[0] == (
        "Pull request", PageLink(text="#12", address="https://github.com/example/fuel/pull/12"),
    )  # fmt: skip
    assert newest.facts[1] == ("Merged by", PageLink(text="Bo Reviewer"))
    assert newest.command[1] == "git show --no-patch 'FuelModel#Production#3'"
    waiting = proposal_view(catalogue, full.proposals()[0])
    assert (waiting.state, waiting.review.mark, waiting.review.forced) == (
        "open", "bad", "beats the incumbent by 4 %",
    )  # fmt: skip
    (card,) = home.home_view(catalogue).promotions
    assert (card.link.text, card.link.address) == ("version 1 to Production", waiting.address)


def test_stages_over_time_are_bars_that_end_where_the_next_begins(content: Any) -> None:
    full = content()
    events = full.events("FuelModel")
    stages = stage_timeline(
        "FuelModel", events, frozenset({2}), frozenset({"FuelModel#Production#3"})
    )
    assert stages is not None
    assert [(bar.version, bar.label) for bar in stages.bars] == [(1, "v1"), (2, "v2")]
    earlier, later = ((float(bar.x[:-1]), float(bar.width[:-1])) for bar in stages.bars)
    assert earlier[0] + earlier[1] == pytest.approx(later[0], abs=1)
    assert later[0] + later[1] == pytest.approx(100, abs=0.02)
    last, first = stages.spells
    assert (last.version.address, bool(last.promotion), last.until) == (
        f"{HTML}/2.html",
        True,
        None,
    )
    assert (first.version.address, first.promotion) == ("", "")
    assert stage_timeline("FuelModel", [], frozenset(), frozenset()) is None


def test_pages_of_a_model_are_taken_over_until_something_about_it_changes(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    full = content(run_oid=lambda key: key)
    models = []
    watched = dataclasses.replace(
        full, decisions=lambda name: models.append(name) or full.decisions(name)
    )
    build(watched, tmp_path / "site", options=options)
    before = snapshot(tmp_path / "site")
    build(watched, tmp_path / "site", options=options)
    assert models == ["FuelModel"] and snapshot(tmp_path / "site") == before

    changes: list[dict[str, Any]] = [
        {"declarations_fingerprint": "other"},
        {"run_oid": lambda key: f"{key}2"},
        {"proposals": lambda: []},
    ]
    for change in changes:
        build(dataclasses.replace(watched, **change), tmp_path / "site", options=options)
    assert len(models) == 1 + len(changes)
    build(dataclasses.replace(full, proposals=lambda: []), tmp_path / "fresh", options=options)
    last = snapshot(tmp_path / "site")
    pages = {name: data for name, data in snapshot(tmp_path / "fresh").items() if "models/" in name}
    assert pages == {name: last[name] for name in last if "models/" in name}
    assert len(pages) == 5


@pytest.mark.browser
def test_the_pages_are_linked_and_read_well_without_scripts(
    page: Any, chromium: Any, site: Path
) -> None:
    page.goto(f"{site.as_uri()}/index.html")
    page.get_by_role("link", name="version 1 to Production").click()
    assert page.locator("h1").inner_text() == "FuelModel version 1 to Production"
    assert page.get_by_role("link", name="Review the pull request").is_visible()
    page.locator("nav").get_by_role("link", name="FuelModel").click()
    page.locator("#stages ~ .scroll").get_by_role("link", name="v2").click()
    assert page.locator("h1").inner_text() == "FuelModel version 2"
    page.get_by_role("link", name="promotion to Production").click()
    assert page.locator(".facts").inner_text().startswith("2 of 3 gates fail")
    page.get_by_role("link", name="Compare the two runs").click()
    page.get_by_role("heading", name="Compare").first.wait_for()

    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{site.as_uri()}/{HTML}/2.html")
    assert plain.locator(".curve path.new").first.bounding_box()["width"] > 100
    assert "curl http://127.0.0.1:5001/invocations" in plain.locator("main").inner_text()
    context.close()


# Signatures and addresses -----------------------------------------------------------------------


def test_signature_view_has_fields_and_an_example_request() -> None:
    view = signature_view(
        {**SIGNATURE, "params": '[{"name": "n", "type": "long", "default": 3, "shape": null}]'}
    )
    assert view is not None
    assert view.inputs == (
        SignatureField(name="weight", type="double"),
        SignatureField(name="it's", type="string"),
    )
    assert view.outputs == (SignatureField(name="0", type="float64 [any]"),)
    assert view.params == (SignatureField(name="n", type="long", note="default 3"),)
    assert view.request == (
        '{"dataframe_split": {"columns": ["weight", "it\'s"], "data": [[0.0, ""]]}}'
    )
    tensor = signature_view({"inputs": json.dumps(
        [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]
    )})  # fmt: skip
    assert tensor is not None and tensor.request == '{"inputs": [[0.0, 0.0, 0.0]]}'
    big = signature_view({"inputs": json.dumps(
        [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 999, 999]}}]
    )})  # fmt: skip
    assert big is not None and big.request == ""


def _column(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, "name": kind, "required": True, **more}


def _array(kind: str, *shape: int) -> dict[str, object]:
    return {"type": "tensor", "name": kind, "tensor-spec": {"dtype": kind, "shape": shape}}


@pytest.mark.parametrize(
    "columns",
    [
        [_column(kind) for kind in ("boolean", "long", "double", "string")],
        [_column("array", items={"type": "array", "items": {"type": "double"}})],
        [_column("map", values={"type": "long"})],
        [_column("object", properties={
            "x": {"type": "long", "required": True}, "y": {"type": "string", "required": False},
        })],
        [_array("float64", -1, 3), _array("int32", -1, 2), _array("bool", 2), _array("str", -1)],
    ],
)  # fmt: skip
def test_a_request_fits_the_signature_it_is_made_from(columns: list[dict[str, Any]]) -> None:
    import numpy as np
    import pandas as pd

    schema = Schema.from_json(json.dumps(columns))
    view = signature_view({"inputs": json.dumps(columns)})
    assert view is not None
    body = json.loads(view.request)
    if "inputs" in body:  # a server reads lists as arrays of the signature's types
        data = {
            spec.name: np.array(body["inputs"][spec.name], spec.type) for spec in schema.tensors
        }
        enforced = enforce_schema(data, schema)
        assert {name: array.shape for name, array in enforced.items()} == {
            "float64": (1, 3), "int32": (1, 2), "bool": (2,), "str": (1,),
        }  # fmt: skip
    else:
        enforced = enforce_schema(pd.DataFrame(**body["dataframe_split"]), schema)
        assert list(enforced) == [column["name"] for column in columns]


def test_request_of_a_version_is_its_serving_example(content: Any) -> None:
    def request_for(*files: str) -> str:
        full = content(artifacts=lambda key: [Artifact(path=path, size=1) for path in files])
        catalogue = Catalogue.of(full, 5000)
        return version_view(
            catalogue, Relations(catalogue), catalogue.versions["FuelModel"][0], ()
        ).ask

    assert request_for("model/serving_input_example.json").splitlines() == [
        "curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d \\",
        '  "@$(gitml artifacts download --artifact-uri models:/FuelModel/2)'
        '/serving_input_example.json"',
    ]
    assert "dataframe_split" in request_for("other/serving_input_example.json")


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["double", "tensor", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "tensor-spec", "dtype", "shape", "items", "default"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["inputs", "outputs", "params"]), JSON.map(json.dumps)))
def test_any_signature_is_viewed_or_left_out(form: dict[str, str]) -> None:
    view = signature_view(form)
    assert view is None or isinstance(view.request, str)
