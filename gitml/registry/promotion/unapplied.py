"""Compare tags with the declarations of ``registry/*.yaml``. All pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitml.entities import ModelVersion, Stage
from gitml.registry.gates.declarations import Declaration


def drift(declaration: Declaration, versions: Sequence[ModelVersion]) -> list[str]:
    """Return what differs, one sentence each; empty if all is as declared.

    Args:
        declaration: What a file declares.
        versions: The model's versions, as the tags record them.
    """
    return [*_stages(declaration, versions), *_aliases(declaration, versions)]


def _stages(declaration: Declaration, versions: Sequence[ModelVersion]) -> Iterator[str]:
    for stage, version in declaration.stages.items():
        holders = sorted(v.version for v in versions if v.current_stage == stage)
        shared = stage is Stage.ARCHIVED
        if version is None and holders:
            yield f"{stage.value} is declared empty and holds {_named(holders)}."
        elif version is not None and (version not in holders if shared else holders != [version]):
            expected = f"version {version}"
            yield f"{stage.value} is declared to hold {expected} and holds {_named(holders)}."


def _aliases(declaration: Declaration, versions: Sequence[ModelVersion]) -> Iterator[str]:
    for alias, version in declaration.aliases.items():
        holders = [v.version for v in versions if alias in v.aliases]
        if holders != ([] if version is None else [version]):
            target = "nothing" if version is None else f"version {version}"
            yield f"Alias {alias} is declared to name {target} and names {_named(holders)}."


def _named(holders: Sequence[int]) -> str:
    if not holders:
        return "nothing"
    return f"version{'s' if holders[1:] else ''} {', '.join(map(str, holders))}"
