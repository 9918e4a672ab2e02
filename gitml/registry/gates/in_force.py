"""Find the gates that a version must meet when it is moved directly, without a proposal."""

from __future__ import annotations

import contextlib

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.git import GitRepo, default_branch
from gitml.query.gates import Gate
from gitml.registry.gates import declarations


def gates_in_force(repo: GitRepo, remote: str, model: str, stage: Stage) -> tuple[Gate, ...]:
    """Return a stage's gates in the work tree, and those that were reviewed, each once.

    Whoever moves a version may write to the work tree; the remote's default branch, as this clone
    has it, was reviewed.

    Raises:
        InvalidInput: The declaration of the work tree is not as it should be.
    """
    declared = [declarations.read(repo, model)]
    default = default_branch.local(repo, remote)
    if default:
        with contextlib.suppress(InvalidInput):  # `gitml registry check` reports it
            declared.append(declarations.read(repo, model, default.commit))
    gates = (gate for each in declared if each for gate in each.gates.get(stage, ()))
    return tuple({gate.text: gate for gate in gates}.values())
