from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.grammar import Kind, parse, slug
from gitml.registry.tags.model_state import ModelState, VersionState, fold
from gitml.registry.tags.plan import Step, sentence, tag_names, transition, version_deleted


def model(**stages: str) -> ModelState:
    """A model whose versions v1, v2, … are in the stages given."""
    versions = tuple(
        VersionState(
            version=f"{name}.0.0",
            commit=name * 20,
            tag=f"m@{name}.0.0",
            active=True,
            registered=1,
            updated=1,
            stages={stage: 1} if stage else {},
        )
        for name, stage in stages.items()
    )
    return ModelState(slug="m", name="m", versions=versions, counter=10)


def with_alias(state: ModelState, number: int, alias: str = "champion") -> ModelState:
    """The model with an alias on one version."""
    key = slug(alias, "alias")
    versions = tuple(
        replace(version, aliases={key: 1} if version.number == number else {})
        for version in state.versions
    )
    return replace(state, versions=versions, alias_names={key: alias} if key != alias else {})


def sentences(steps: list[Step]) -> list[str]:
    return [sentence("m", step) for step in steps]


def test_first_transition_is_a_single_tag() -> None:
    state = model(v1="", v2="")
    steps = transition(state, state.versions[1], Stage.PRODUCTION, archive=True)
    assert sentences(steps) == ["m version 2 moved to Production"]
    assert tag_names(state, steps) == ["m#Production#11"]


def test_moving_on_leaves_the_old_stage_first() -> None:
    state = model(v1="Staging")
    steps = transition(state, state.versions[0], Stage.PRODUCTION, archive=False)
    assert tag_names(state, steps) == ["m#Staging!#11", "m#Production#12"]
    assert steps[1].detail == TagDetail.of(from_stage="Staging", to_stage="Production")


def test_archiving_comes_before_the_new_assignment() -> None:
    state = model(v1="Production", v2="Staging", v3="Production")
    steps = transition(state, state.versions[1], Stage.PRODUCTION, archive=True)
    assert sentences(steps) == [
        "m version 2 left Staging",
        "m version 1 left Production",
        "m version 1 moved from Production to Archived",
        "m version 3 left Production",
        "m version 3 moved from Production to Archived",
        "m version 2 moved from Staging to Production",
    ]


def test_who_stays_in_a_stage_is_assigned_anew_when_another_leaves() -> None:
    state = model(v1="Production", v2="Production")
    steps = transition(state, state.versions[1], Stage.NONE, archive=False)
    assert sentences(steps) == ["m version 2 left Production", "m version 1 stays in Production"]


def test_the_highest_version_of_a_stage_has_its_last_tag() -> None:
    state = model(v1="", v2="Production")
    steps = transition(state, state.versions[0], Stage.PRODUCTION, archive=False)
    assert sentences(steps) == [
        "m version 1 moved to Production",
        "m version 2 stays in Production",
    ]


def test_nothing_is_written_for_a_version_already_in_the_stage() -> None:
    state = model(v1="Staging", v2="")
    assert transition(state, state.versions[0], Stage.STAGING, archive=True) == []
    assert transition(state, state.versions[1], Stage.NONE, archive=False) == []


def test_archiving_the_others_keeps_a_version_already_in_the_stage() -> None:
    state = model(v1="Production", v2="Production")
    steps = transition(state, state.versions[0], Stage.PRODUCTION, archive=True)
    assert sentences(steps) == [
        "m version 2 left Production",
        "m version 2 moved from Production to Archived",
        "m version 1 stays in Production",
    ]


def test_a_deleted_version_leaves_its_stage_first() -> None:
    state = model(v1="Staging", v2="")
    steps = version_deleted(state, state.versions[0])
    assert tag_names(state, steps) == ["m#Staging!#11", "m@v1.0.0!"]


def step(kind: Kind, number: int, value: str = "", **detail: Any) -> Step:
    """The step that a plan makes about a version of ``model``."""
    return Step(
        kind=kind,
        version=f"v{number}.0.0",
        label=number,
        commit=f"v{number}" * 20,
        value=value,
        detail=TagDetail.of(**detail),
    )


def test_a_registration_carries_commit_number_and_detail() -> None:
    steps = plan.registration(3, "c" * 40, TagDetail.of(run_id="r"))
    assert steps == [
        Step(
            kind=Kind.REGISTERED,
            version="v3.0.0",
            label=3,
            commit="c" * 40,
            detail=TagDetail.of(run_id="r"),
        )
    ]


def test_archived_version_records_by_which_version_it_was_replaced() -> None:
    state = model(v1="Production", v2="")
    moved = {"from_stage": "Production", "to_stage": "Archived", "replaced_by": 2}
    assert transition(state, state.versions[1], Stage.PRODUCTION, archive=True) == [
        step(Kind.LEFT, 1, "Production", **moved),
        step(Kind.STAGE, 1, "Archived", **moved),
        step(Kind.STAGE, 2, "Production", from_stage="None", to_stage="Production", archive=True),
    ]


def test_who_leaves_records_where_to_and_who_stays_that_it_was_asserted_again() -> None:
    state = model(v1="Staging", v2="Staging")
    assert transition(state, state.versions[1], Stage.NONE, archive=False) == [
        step(Kind.LEFT, 2, "Staging", from_stage="Staging", to_stage="None"),
        step(Kind.STAGE, 1, "Staging", reasserted=True),
    ]


def test_a_decision_is_added_to_the_step_that_admits_the_version_alone() -> None:
    state = model(v1="Production", v2="Staging")
    steps = transition(state, state.versions[1], Stage.PRODUCTION, archive=True)
    decided = plan.with_decision(
        steps, state.versions[1], Stage.PRODUCTION, TagDetail.of(reason="better")
    )
    assert decided[:-1] == steps[:-1]
    assert decided[-1] == step(
        Kind.STAGE, 2, "Production",
        from_stage="Staging", to_stage="Production", archive=True, reason="better",
    )  # fmt: skip


def test_an_alias_is_taken_from_its_version_before_another_gets_it() -> None:
    state = with_alias(model(v1="", v2="", v3=""), 1)
    assert plan.alias_set(state, state.versions[1], "champion") == [
        step(Kind.UNALIAS, 1, "champion"),
        step(Kind.ALIAS, 2, "champion"),
    ]
    assert plan.alias_set(state, state.versions[0], "champion") == []
    assert plan.alias_removed(state, "champion") == [step(Kind.UNALIAS, 1, "champion")]
    assert plan.alias_removed(state, "other") == []


def test_a_deleted_version_loses_its_stage_and_aliases_and_the_rest_stay() -> None:
    state = with_alias(model(v1="Production", v2="Production"), 2, "True Name")
    assert version_deleted(state, state.versions[1]) == [
        step(Kind.LEFT, 2, "Production"),
        step(Kind.STAGE, 1, "Production", reasserted=True),
        step(Kind.UNALIAS, 2, "True Name"),
        step(Kind.DELETED, 2),
    ]


def test_a_deleted_model_loses_all_versions_and_is_deprecated_once() -> None:
    state = with_alias(model(v1="Production", v2=""), 1, "True Name")
    last = Step(kind=Kind.DEPRECATED, version="", label="", commit="v2" * 20)
    steps = plan.model_deleted(state)
    assert steps == [
        step(Kind.LEFT, 1, "Production"),
        step(Kind.UNALIAS, 1, "True Name"),
        step(Kind.DELETED, 1),
        step(Kind.DELETED, 2),
        last,
    ]
    assert tag_names(state, steps) == [
        "m#Production!#11",
        f"m#alias/{slug('True Name', 'alias')}!#12",
        "m@v1.0.0!",
        "m@v2.0.0!",
        "m@deprecated",
    ]
    assert plan.model_deleted(ModelState(slug="m")) == []
    assert plan.model_deleted(replace(model(), deprecated=1)) == []


def test_an_alias_without_a_letter_is_tagged_by_its_slug() -> None:
    state = with_alias(model(v1="", v2="", v3=""), 1, "é")
    steps = plan.alias_set(state, state.versions[1], "é")
    assert steps == [step(Kind.UNALIAS, 1, "é"), step(Kind.ALIAS, 2, "é")]
    key = slug("é", "alias")
    assert tag_names(state, steps) == [f"m#alias/{key}!#11", f"m#alias/{key}#12"]


def test_a_plain_alias_of_what_is_deleted_is_removed_by_its_name() -> None:
    state = with_alias(model(v1="", v2="", v3=""), 2)
    removed = [step(Kind.UNALIAS, 2, "champion"), step(Kind.DELETED, 2)]
    assert version_deleted(state, state.versions[1]) == removed
    last = Step(kind=Kind.DEPRECATED, version="", label="", commit="v3" * 20)
    assert plan.model_deleted(state) == [
        step(Kind.DELETED, 1),
        *removed,
        step(Kind.DELETED, 3),
        last,
    ]


def test_a_tag_name_that_is_taken_gets_a_counter() -> None:
    state = replace(model(v1=""), tags=("m@v1.0.0!", "m@v1.0.0"))
    assert tag_names(state, [step(Kind.DELETED, 1), step(Kind.DELETED, 1)]) == [
        "m@v1.0.0!#11",
        "m@v1.0.0!#12",
    ]


def test_every_kind_of_step_has_its_sentence_and_detail() -> None:
    steps = [
        step(Kind.REGISTERED, 1),
        step(Kind.DELETED, 1),
        step(Kind.LEFT, 1, "Staging"),
        step(Kind.ALIAS, 1, "champion"),
        step(Kind.UNALIAS, 1, "champion"),
        step(Kind.STAGE, 1, "Staging"),
        step(Kind.STAGE, 1, "Staging", from_stage="None"),
        step(Kind.STAGE, 1, "Staging", from_stage="Production"),
        step(Kind.STAGE, 1, "Staging", reasserted=True),
        Step(kind=Kind.DEPRECATED, version="", label="", commit="c"),
    ]
    assert sentences(steps) == [
        "m version 1 registered",
        "m version 1 deleted",
        "m version 1 left Staging",
        "m alias champion set to version 1",
        "m alias champion removed from version 1",
        "m version 1 moved to Staging",
        "m version 1 moved to Staging",
        "m version 1 moved from Production to Staging",
        "m version 1 stays in Staging",
        "m deleted",
    ]
    why = TagDetail.of(reason="because")
    version, alias, deprecated = (plan.message_detail("m", steps[i], why) for i in (2, 3, -1))
    assert version == TagDetail.of(model="m", version=1, reason="because")
    assert alias == TagDetail.of(model="m", version=1, alias="champion", reason="because")
    assert deprecated == TagDetail.of(model="m", reason="because")


_NUMBERS = st.integers(1, 4)
_CHANGES = st.one_of(
    *[st.tuples(st.just("move"), _NUMBERS, st.sampled_from(Stage), st.booleans())] * 3,
    st.tuples(st.just("alias"), _NUMBERS, st.sampled_from(["champion", "é_"])),
    st.tuples(st.just("unalias"), st.sampled_from(["champion", "é_"])),
    st.tuples(st.just("delete"), _NUMBERS),
)


class Tags:
    """The tags of one model, kept in memory."""

    def __init__(self, versions: int) -> None:
        self.tags: list[Tag] = []
        for number in range(1, versions + 1):
            self.write(plan.registration(number, str(number) * 40, TagDetail()))

    @property
    def state(self) -> ModelState:
        return fold(self.tags).models.get("m", ModelState(slug="m"))

    def write(self, steps: list[Step]) -> None:
        for name, step in zip(tag_names(self.state, steps), steps, strict=True):
            self.tags.append(
                Tag(
                    name=name,
                    oid="f" * 40,
                    target=step.commit,
                    annotated=True,
                    timestamp=len(self.tags),
                    user="",
                    email="",
                    message="",
                )
            )

    def change(self, kind: str, *rest: object) -> None:
        state = self.state
        if kind == "unalias":
            self.write(plan.alias_removed(state, str(rest[0])))
            return
        version = state.find(int(str(rest[0])))
        if version not in state.active:
            return
        assert version is not None
        if kind == "move":
            stage = Stage(str(rest[1]))
            archive = bool(rest[2]) and stage in (Stage.STAGING, Stage.PRODUCTION)
            self.write(transition(state, version, stage, archive=archive))
            assert self.state.find(version.number or 0).stage == stage  # type: ignore[union-attr]
        elif kind == "alias":
            self.write(plan.alias_set(state, version, str(rest[1])))
        else:
            self.write(version_deleted(state, version))


@given(st.lists(_CHANGES, max_size=12))
def test_any_sequence_of_changes_keeps_the_rules(changes: list[tuple[object, ...]]) -> None:
    tags = Tags(versions=4)
    for what in changes:
        tags.change(*what)  # type: ignore[arg-type]
    state = tags.state
    assert all(len(version.stages) <= 1 for version in state.active)
    assert all(v.stages == {} and v.aliases == {} for v in state.versions if not v.active)
    for alias in ("champion", slug("é_", "alias")):
        assert sum(alias in version.aliases for version in state.active) <= 1
    for stage in ("Staging", "Production", "Archived"):
        inside = [version for version in state.active if stage in version.stages]
        named = [(parse(tag.name), tag) for tag in tags.tags]
        last = [(event, tag) for event, tag in named if event and event.value == stage][-1:]
        if inside:
            assert (last[0][0].kind, last[0][1].target) == ("stage", inside[-1].commit)
    assert len({tag.name for tag in tags.tags}) == len(tags.tags)
