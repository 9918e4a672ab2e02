"""Check names, values and paths before they are logged; each check returns the value to store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from gitml.entities import RunStatus
from gitml.errors import InvalidInput
from gitml.formats import artifact_paths, limits
from gitml.store.in_progress.fold import RUN_NAME_TAG
from gitml.text import short_repr

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def key(name: object, what: str) -> str:
    """Check the name of a param, metric or tag."""
    if not isinstance(name, str) or not name.strip() or len(name) > limits.KEY:
        raise InvalidInput(
            f"{what} name {short_repr(name)} is not valid.",
            hint=f"Give 1 to {limits.KEY} characters.",
        )
    if _CONTROL.search(name):
        raise InvalidInput(
            f"{what} name {short_repr(name)} contains control characters.", hint="Remove them."
        )
    return name


def param_value(name: str, value: object) -> str:
    """Turn a param's value into the text that is stored."""
    text = str(value)
    if len(text) > limits.PARAM:
        raise InvalidInput(
            f"Param {name!r} has {len(text):,} characters; the limit is {limits.PARAM:,}.",
            hint="Log it as a file with `log_text` or `log_dict`.",
        )
    return text


def tag_value(name: str, value: object) -> str:
    """Turn a tag's value into the text that is stored."""
    text = str(value)
    if len(text) > limits.TAG:
        raise InvalidInput(
            f"Tag {name!r} has {len(text):,} characters; the limit is {limits.TAG:,}.",
            hint="Log it as a file with `log_text`.",
        )
    return text


def metric_value(name: str, value: object) -> float:
    """Turn a metric's value into a float; NaN and infinities are kept."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise InvalidInput(
            f"Metric {name!r} has value {short_repr(value)}, which is not a number.",
            hint="Give an int, a float or a one-element array.",
        ) from None


def step(name: str, value: object) -> int:
    """Turn a metric's step into a 64-bit integer; None is step 0."""
    if value is None:
        return 0
    return _int64(name, "step", value)


def timestamp(name: str, value: object) -> int | None:
    """Turn a metric's timestamp into ms since the Unix epoch; None, which is now, stays."""
    return None if value is None else _int64(name, "timestamp", value)


def _int64(name: str, what: str, value: object) -> int:
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise InvalidInput(
            f"Metric {name!r} has {what} {short_repr(value)}.", hint="Give a 64-bit integer."
        )
    return int(number)


def run_name(name: object) -> str:
    """Check a run's name."""
    if not isinstance(name, str) or not name.strip() or len(name) > 500 or _CONTROL.search(name):
        raise InvalidInput(
            f"Run name {short_repr(name)} is not valid.",
            hint="Give 1 to 500 characters without line breaks or control characters.",
        )
    return name


def artifact_path(path: object) -> str:
    """Check a path to write in a run's artifacts and return it in normal form, ``""`` the root."""
    checked = recorded_path(path)
    return artifact_paths.check(checked) if checked else ""


def recorded_path(path: object) -> str:
    """As ``artifact_path``, for reading: a record may hold names that are not written any more."""
    text = "" if path is None else str(path)
    parts = PurePosixPath(text).parts
    normal = "/".join(parts)
    if (
        text.startswith(("/", "~"))
        or PureWindowsPath(text).drive
        or _CONTROL.search(text)
        or (parts and not artifact_paths.is_inside(normal))
    ):
        raise InvalidInput(
            f"Artifact path {short_repr(text)} leaves the run.",
            hint="Give a relative path with forward slashes and no `..`, such as `plots/a.png`.",
        )
    return normal


def artifact_file(path: object) -> str:
    """As ``artifact_path``, for a file: the root is refused."""
    checked = artifact_path(path)
    if not checked:
        raise InvalidInput(
            "The path of the artifact file is empty.", hint="Give a path such as `notes.txt`."
        )
    return checked


def tags(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Check the tags of a run or an experiment."""
    checked = {}
    for name, value in (values or {}).items():
        checked[key(name, "Tag")] = tag_value(name, value)
    if RUN_NAME_TAG in checked:
        run_name(checked[RUN_NAME_TAG])
    return checked


def experiment_name(name: object) -> str:
    """Check that the name of an experiment is a string."""
    if not isinstance(name, str):
        raise InvalidInput(f"The name of an experiment must be a string, not {name!r:.80}.")
    return name


def status(value: str) -> str:
    """Check the status of a run."""
    if value not in list(RunStatus):
        raise InvalidInput(
            f"{value!r:.40} is not a valid run status.", hint=f"Use one of {', '.join(RunStatus)}."
        )
    return str(value)
