"""Write values as artifact files: texts, dictionaries, figures, images, tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput
from gitml.formats import plain_yaml

Write = Callable[[Path], None]


def text(value: str) -> Write:
    """Return a function that writes a text file."""
    return lambda path: _put(path, str(value))


def dictionary(value: Any) -> Write:
    """Return a function that writes JSON, or YAML if the file's name says so.

    Values that JSON does not have become texts.
    """

    def write(path: Path) -> None:
        if path.suffix in (".yaml", ".yml"):
            _put(path, plain_yaml.dump(json.loads(json.dumps(value, default=str))))
        else:
            _put(path, json.dumps(value, indent=2, default=str))

    return write


def figure(value: Any, save_kwargs: dict[str, Any]) -> Write:
    """Return a function that writes a matplotlib or plotly figure in the format of the file's name.

    Raises:
        InvalidInput: It is neither.
    """
    if hasattr(value, "savefig"):
        return lambda path: value.savefig(path, **save_kwargs)
    if hasattr(value, "write_html"):

        def write(path: Path) -> None:
            if path.suffix == ".html":
                value.write_html(path, **{"include_plotlyjs": "cdn", **save_kwargs})
            else:
                value.write_image(path, **save_kwargs)

        return write
    raise InvalidInput(
        f"A {type(value).__name__} is not a figure.", hint="Give a matplotlib or plotly figure."
    )


def image(value: Any) -> Write:
    """Return a function that writes an image in the format of the file's name.

    Args:
        value: A PIL image, or an array of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) with
            integers or booleans from 0 to 255, or floats from 0 to 1.

    Raises:
        InvalidInput: It is none of these.
    """
    if hasattr(value, "save"):
        return lambda path: value.save(path)
    if not hasattr(value, "shape"):
        raise InvalidInput(
            f"A {type(value).__name__} is not an image.", hint="Give a PIL image or an array."
        )
    pixels = _pixels(value)

    def write(path: Path) -> None:
        from PIL import Image

        Image.fromarray(pixels).save(path)

    return write


def _pixels(value: Any) -> Any:
    import numpy as np

    array = np.asarray(value)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise InvalidInput(
            f"An array of shape {array.shape} is not an image.",
            hint="Its shape must be (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).",
        )
    if array.dtype.kind == "f":
        if np.nanmin(array, initial=0) < 0 or np.nanmax(array, initial=0) > 1:
            raise InvalidInput(
                "The image has floats outside 0 to 1.", hint="Scale it, or give integers to 255."
            )
        return (np.nan_to_num(array) * 255).astype(np.uint8)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in "iu" or array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise InvalidInput("The image has values outside 0 to 255.", hint="Scale it first.")
    return array.astype(np.uint8)


def table(value: Any, before: bytes | None) -> Write:
    """Return a function that writes a table as MLflow does: ``{"columns": […], "data": [[…], …]}``.

    Args:
        value: A DataFrame, or a dict of columns (lists of one length, or single values).
        before: Bytes of an existing table, whose rows come first.

    Raises:
        InvalidInput: It is neither, or the columns differ from those of the existing table.
    """
    columns, rows = _rows(value)
    if before is not None:
        existing = _existing(before)
        if existing["columns"] != columns:
            raise InvalidInput(
                f"The table has columns {existing['columns']}, not {columns}.",
                hint="Log it under another name.",
            )
        rows = [*existing["data"], *rows]
    text = json.dumps(_finite({"columns": columns, "data": rows}), default=_plain)
    return lambda path: _put(path, text)


def _existing(data: bytes) -> dict[str, Any]:
    """Read a table that was logged before, maybe by another program."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    columns, rows = (
        (value.get(k) for k in ("columns", "data")) if isinstance(value, dict) else (0, 0)
    )
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise InvalidInput("The file is not a table.", hint="Log the table under another name.")
    return {"columns": columns, "data": rows}


def _finite(value: Any) -> Any:
    """Return a value with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rows(value: Any) -> tuple[list[str], list[list[Any]]]:
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        # Each column by itself: a table of integers and floats as a whole is one of floats.
        columns = [value.iloc[:, number].tolist() for number in range(len(value.columns))]
        return [str(name) for name in value.columns], list(map(list, zip(*columns, strict=True)))
    if isinstance(value, dict):
        lists = {
            key: list(column) if isinstance(column, (list, tuple)) or hasattr(column, "tolist")
            else [column]
            for key, column in value.items()
        }  # fmt: skip
        if len({len(column) for column in lists.values()}) > 1:
            raise InvalidInput("The table's columns differ in length.")
        return [str(key) for key in lists], [list(row) for row in zip(*lists.values(), strict=True)]
    raise InvalidInput(
        f"A {type(value).__name__} is not a table.", hint="Give a DataFrame or a dict of columns."
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def _put(path: Path, value: str) -> None:
    path.write_text(value, encoding="utf-8")
