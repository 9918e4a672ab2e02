"""Expand short spellings of gates to expressions.

::

    - approvals: 2                               approvals.count >= 2
    - approvals: [ada, bo@example.org]           approved_by.ada and approved_by.`bo@example.org`
    - source: clean                              source.dirty = false
    - signature: required                        signature.inputs is not null and ...
    - dataset: holdout                           evaluations.holdout is not null
    - dataset: {name: holdout, digest: 1f2e}     evaluations.holdout = '1f2e'

Whatever judges, shows and records gates therefore knows expressions only. All pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gitml.errors import InvalidInput
from gitml.query.gate_parser import PLAIN_KEY

MOST_APPROVALS = 50


def expanded(key: str, value: Any) -> str:
    """Write a short spelling out as an expression.

    Args:
        key: ``approvals``, ``source``, ``signature`` or ``dataset``.
        value: A text, a list of texts or a mapping of texts, as it stands in the file.

    Raises:
        InvalidInput: There is no such spelling; the message says what is wanted.
    """
    if key not in _EXPANSIONS:
        raise InvalidInput(
            f"{key!r:.60} is no gate.",
            hint=f"Known: {', '.join(_EXPANSIONS)}, or an expression such as metrics.rmse < 3.5.",
        )
    return _EXPANSIONS[key](value)


def _approvals(value: Any) -> str:
    if isinstance(value, list):
        names = [name.strip() for name in value if isinstance(name, str) and name.strip()]
        if not names or len(names) != len(value) or len(names) > MOST_APPROVALS:
            raise _wrong("approvals", value, "a list of names, such as [ada, bo@example.org]")
        return " and ".join(f"approved_by.{_quoted(name)}" for name in dict.fromkeys(names))
    text = value if isinstance(value, str) and len(value) < 5 else ""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_APPROVALS):
        raise _wrong("approvals", value, f"a number from 1 to {MOST_APPROVALS}, or a list of names")
    return f"approvals.count >= {int(text)}"


def _source(value: Any) -> str:
    if value != "clean":
        raise _wrong("source", value, "`source: clean`")
    return "source.dirty = false"


def _signature(value: Any) -> str:
    if value != "required":
        raise _wrong("signature", value, "`signature: required`")
    return "signature.inputs is not null and signature.outputs is not null"


def _dataset(value: Any) -> str:
    dataset: Mapping[str, Any] = {"name": value} if isinstance(value, str) else value
    fits = (
        isinstance(dataset, Mapping)
        and "name" in dataset
        and not dataset.keys() - {"name", "digest"}
    )
    if not fits or not all(isinstance(text, str) and text.strip() for text in dataset.values()):
        raise _wrong("dataset", value, "a name, or {name: holdout, digest: 1f2e3d4c}")
    field = f"evaluations.{_quoted(dataset['name'])}"
    if "digest" not in dataset:
        return f"{field} is not null"
    digest = dataset["digest"].replace("'", "''")
    return f"{field} = '{digest}'"


_EXPANSIONS: Mapping[str, Callable[[Any], str]] = {
    "approvals": _approvals, "source": _source, "signature": _signature, "dataset": _dataset,
}  # fmt: skip


def _quoted(name: str) -> str:
    if PLAIN_KEY.fullmatch(name):
        return name
    if "`" in name:
        raise InvalidInput(f"{name!r:.60} has a backtick.", hint="Names in gates cannot have one.")
    return f"`{name}`"


def _wrong(key: str, value: Any, expected: str) -> InvalidInput:
    return InvalidInput(f"{key} cannot be {value!r:.60}.", hint=f"Write {expected}.")
