from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from gitml.errors import SchemaTooNew, StoreError
from gitml.formats import model_records
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord

_KEYS = st.sampled_from(["a", "b"])
_TEXTS = st.sampled_from(["", "x", "é"])
_TIMES = st.integers(0, 3)


@st.composite
def models(draw: st.DrawFn) -> ModelRecord:
    tags = draw(st.dictionaries(_KEYS, _TEXTS))
    removed = draw(st.sets(_KEYS))
    return ModelRecord(
        name="m",
        creation_timestamp=draw(_TIMES),
        last_updated_timestamp=draw(_TIMES),
        description=draw(_TEXTS),
        tags=tags,
        lifecycle_stage=draw(st.sampled_from(["active", "deleted"])),
        written={
            "description": draw(_TIMES),
            "lifecycle_stage": draw(_TIMES),
            **{f"tags.{key}": draw(_TIMES) for key in {*tags, *removed}},
        },
        extra=draw(st.dictionaries(st.just("later"), st.integers(0, 2))),
    )


@given(models(), models(), models())
def test_joins_converge_in_whatever_order(a: ModelRecord, b: ModelRecord, c: ModelRecord) -> None:
    join = model_records.join_models
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(join(a, b), b) == join(a, b)


@given(models())
def test_a_model_survives_its_bytes(record: ModelRecord) -> None:
    data = model_records.model_to_json(record)
    assert model_records.model_from_json(data) == record
    assert model_records.model_to_json(model_records.model_from_json(data)) == data


def test_a_version_survives_its_bytes_with_fields_of_later_versions() -> None:
    record = VersionRecord(
        name="m",
        version=3,
        creation_timestamp=1,
        last_updated_timestamp=2,
        run_id="0" * 32,
        source=f"runs:/{'0' * 32}/model",
        description="Ünï\ncode",
        tags={"k": "v"},
        written={"description": 1, "tags.k": 2},
        extra={"later": [1, {"x": None}]},
    )
    assert model_records.version_from_json(model_records.version_to_json(record)) == record


def test_a_version_file_survives_its_bytes() -> None:
    file = VersionFile(name="m", version=1, flavors=("sklearn",), size=3, dirty=True, created=9)
    data = model_records.version_file_to_json(file)
    assert model_records.version_file_from_json(data) == file
    assert list(json.loads(data)) == sorted(json.loads(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "model.json: field 'name' must be a string."),
        ({"tags": {"k": 1}}, "model.json: field 'tags' must be an object of strings."),
        (
            {"written": {"k": "1"}},
            "model.json: field 'written' must be an object of 64-bit",
        ),
        ({"creation_timestamp": 2**63}, "model.json: field 'creation_timestamp' must be a 64-bit"),
        ({"lifecycle_stage": "gone"}, "model.json: field 'lifecycle_stage' must be one of"),
        ({"description": None}, "model.json: field 'description' must be a string."),
    ],
)
def test_wrong_fields_are_named(change: dict[str, object], message: str) -> None:
    record = ModelRecord(name="m", creation_timestamp=1, last_updated_timestamp=1)
    value = {**json.loads(model_records.model_to_json(record)), **change}
    with pytest.raises(StoreError) as caught:
        model_records.model_from_json(json.dumps(value).encode())
    assert caught.value.message.startswith(message)


def test_records_of_a_newer_gitml_are_refused() -> None:
    with pytest.raises(SchemaTooNew):
        model_records.model_from_json(b'{"schema": 2}')


def test_paths_are_taken_apart() -> None:
    assert model_records.parse_model_path(model_records.model_path("m")) == ("m", None)
    assert model_records.parse_model_path(model_records.version_path("m", 12)) == ("m", 12)
    for path in ("models/m/x.json", "models/../model.json", "models/m/versions/0.json",
                 "models/a/b/model.json", "runs/m/model.json"):  # fmt: skip
        assert model_records.parse_model_path(path) is None
