"""A model directory on the page of its run: signature, how to load it, how to serve it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitml.entities import LoggedModelInfo
from gitml.errors import InvalidInput
from gitml.formats import plain_yaml
from gitml.site.catalogue import PageLink
from gitml.site.previews import TEXT_BYTES, Read
from gitml.site.text import commands, formats

if TYPE_CHECKING:
    from gitml.models.signature import ModelSignature

_SPECS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model directory of a run.

    Attributes:
        path: Folder below the run's artifacts.
        flavors: Their names, with commas.
        signature: (``input``, ``output`` or ``parameter``; name and type) of each part.
        load: How to load it in Python.
        ask: How to serve it and send it a request; empty if its input is unknown.
        versions: Versions registered from it.
    """

    path: str
    flavors: str
    signature: tuple[tuple[str, str], ...]
    load: str
    ask: str
    versions: tuple[PageLink, ...]


def describe(
    run_id: str,
    logged: LoggedModelInfo,
    files: Collection[str],
    read: Read,
    versions: tuple[PageLink, ...],
) -> LoggedModel:
    """Describe a model directory; nothing of the model is loaded.

    Args:
        run_id: Of the run.
        logged: The directory.
        files: Paths of all files of the run.
        read: (path, limit) → the first bytes of a file, None if they are not on this machine.
        versions: Versions registered from it.
    """
    from gitml.models.examples import SERVING_FILE
    from gitml.site.pages.signature import request

    file = f"{logged.path}/MLmodel"
    signature = _signature(read(file, TEXT_BYTES + 1) if file in files else None)
    example = f"{logged.path}/{SERVING_FILE}" in files
    body = f"@{SERVING_FILE}" if example else request(signature)
    return LoggedModel(
        path=formats.name(logged.path),
        flavors=formats.name(", ".join(logged.flavors)),
        signature=_rows(signature),
        load=commands.load_model(f"runs:/{run_id}/{logged.path}"),
        ask=commands.ask_model(run_id, logged.path, body) if body else "",
        versions=versions,
    )


def _signature(data: bytes | None) -> ModelSignature | None:
    """Read the signature of an MLmodel file; None if it has none, or is malformed."""
    from gitml.models.mlmodel import Model

    if data is None or len(data) > TEXT_BYTES:
        return None
    try:
        form = plain_yaml.load(data, plain_yaml.MODEL)
        return Model.from_dict(form).signature if isinstance(form, Mapping) else None
    except (InvalidInput, ValueError, TypeError, RecursionError):
        return None


def _rows(signature: ModelSignature | None) -> tuple[tuple[str, str], ...]:
    if signature is None:
        return ()
    inputs, outputs, params = signature.inputs, signature.outputs, signature.params
    rows = [("input", str(spec)) for spec in (inputs.inputs if inputs else ())]
    rows += [("output", str(spec)) for spec in (outputs.inputs if outputs else ())]
    rows += [("parameter", str(spec)) for spec in (params.params if params else ())]
    return tuple((part, formats.name(text)) for part, text in rows[:_SPECS])
