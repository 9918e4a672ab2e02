"""In which order tags are pushed: no push shows half a promotion, few are in one with a trigger."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.promotion.push_order import batches
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.messages import format_message
from gitml.registry.tags.model_state import ModelState, fold
from gitml.registry.tags.plan import Step


class Model:
    """A model whose changes become tags without a repository."""

    def __init__(self, versions: int) -> None:
        self.tags: list[Tag] = []
        for number in range(1, versions + 1):
            self.write(plan.registration(number, f"{number:040x}", TagDetail()))

    @property
    def state(self) -> ModelState:
        return fold(self.tags).models.get("m", ModelState(slug="m"))

    def write(self, steps: list[Step]) -> None:
        names = plan.tag_names(self.state, steps)
        for name, step in zip(names, steps, strict=True):
            when = 1000 + len(self.tags)
            self.tags.append(
                Tag(name=name, oid=f"{when:040x}", target=step.commit, annotated=True,
                    timestamp=when, user="Ada", email="ada@example.org",
                    message=format_message("said", plan.message_detail("m", step, TagDetail())))
            )  # fmt: skip

    def move(self, number: int, stage: Stage) -> None:
        version = self.state.find(number)
        assert version is not None
        archive = stage in (Stage.STAGING, Stage.PRODUCTION)
        self.write(plan.transition(self.state, version, stage, archive=archive))


def live(tags: list[Tag]) -> dict[str, list[int | str]]:
    """Which versions are in each stage but Archived."""
    versions: dict[str, list[int | str]] = {}
    for version in fold(tags).models["m"].active:
        for stage in version.stages:
            if stage != Stage.ARCHIVED:
                versions.setdefault(stage, []).append(version.label)
    return versions


_STAGES = st.sampled_from([Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(1, 4), _STAGES), max_size=5),
       st.lists(st.tuples(st.integers(1, 4), _STAGES), min_size=1, max_size=4))  # fmt: skip
def test_after_every_push_what_was_live_is_live_or_what_came_after_it(
    before: list[tuple[int, Stage]], after: list[tuple[int, Stage]]
) -> None:
    model = Model(4)
    for number, stage in before:
        model.move(number, stage)
    sent = list(model.tags)
    states = [live(sent)]
    for number, stage in after:
        model.move(number, stage)
        states.append(live(model.tags))
    new = model.tags[len(sent) :]
    pushes = batches([new])

    assert [name for push in pushes for name in push] == [tag.name for tag in new]
    productions = [state.get(Stage.PRODUCTION) for state in states]
    by_name = {tag.name: tag for tag in new}
    for push in pushes:
        sent += [by_name[name] for name in push]
        assert live(sent).get(Stage.PRODUCTION) in productions
        triggers = [name for name in push if "#Production#" in name or "#Staging#" in name]
        if triggers and len(new) > 3:
            assert (len(triggers), triggers[0], len(push) <= 3) == (1, push[-1], True)


@pytest.mark.parametrize(
    ("models", "pushes"),
    [
        ([[]], []),
        ([["m@v1.0.0"], ["n@v1.0.0", "n#Production#1"]],
         [["m@v1.0.0", "n@v1.0.0", "n#Production#1"]]),
        ([["m#Production#1", "m#alias/a#2"], ["n#Production#1", "n#alias/a#2"]],
         [["m#Production#1"], ["m#alias/a#2"], ["n#Production#1"], ["n#alias/a#2"]]),
    ],
)  # fmt: skip
def test_tags_of_several_models_are_pushed_model_by_model(
    models: list[list[str]], pushes: list[list[str]]
) -> None:
    tags = [
        [Tag(name=name, oid="", target="", annotated=True, timestamp=position, user="", email="",
             message="by another tool\n") for position, name in enumerate(names)]
        for names in models
    ]  # fmt: skip
    assert batches(tags) == pushes
