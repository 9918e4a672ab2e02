"""Tells where tags say something else than the declarations of ``registry/*.yaml``. All pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitml.entities import ModelVersion, Stage
from gitml.registry.gates.declarations import Declaration


def drift(one: Declaration, versions: Sequence[ModelVersion]) -> list[str]:
    """List what differs, one sentence each; empty where all is as declared.

    Args:
        one: What a file declares.
        versions: The model's versions, as the tags tell.
    """
    return [*_stages(one, versions), *_aliases(one, versions)]


def _stages(one: Declaration, versions: Sequence[ModelVersion]) -> Iterator[str]:
    for stage, wanted in one.stages.items():
        held = sorted(v.version for v in versions if v.current_stage == stage)
        others_may = stage is Stage.ARCHIVED
        if wanted is None and held:
            yield f"{stage.value} is declared empty and holds {_named(held)}."
        elif wanted is not None and (wanted not in held if others_may else held != [wanted]):
            yield f"{stage.value} is declared to hold version {wanted} and holds {_named(held)}."


def _aliases(one: Declaration, versions: Sequence[ModelVersion]) -> Iterator[str]:
    for alias, wanted in one.aliases.items():
        held = [v.version for v in versions if alias in v.aliases]
        if held != ([] if wanted is None else [wanted]):
            target = "nothing" if wanted is None else f"version {wanted}"
            yield f"Alias {alias} is declared to name {target} and names {_named(held)}."


def _named(held: Sequence[int]) -> str:
    if not held:
        return "nothing"
    return f"version{'s' if held[1:] else ''} {', '.join(map(str, held))}"
