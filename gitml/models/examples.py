"""Input examples kept with a model, in MLflow's two files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput
from gitml.models.mlmodel import Model, file_inside

EXAMPLE_FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"


def save_example(folder: Path, example: Any) -> dict[str, Any]:
    """Write ``example`` twice: as it is, and as a request to a model server.

    Args:
        folder: The model folder.
        example: DataFrame, NumPy array, or anything JSON can carry.

    Returns:
        The ``saved_input_example_info`` of the MLmodel file.

    Raises:
        InvalidInput: The example cannot be written as JSON.
    """
    kind, content, request = _forms(example)
    try:
        plain = json.dumps(content)
        serving = json.dumps(request, indent=2)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The input example cannot be written as JSON: {error}.") from error
    (folder / EXAMPLE_FILE).write_text(plain, encoding="utf-8")
    (folder / SERVING_FILE).write_text(serving, encoding="utf-8")
    orient = {"pandas_orient": "split"} if kind == "dataframe" else {}
    paths = {"artifact_path": EXAMPLE_FILE, "serving_input_path": SERVING_FILE}
    return {**paths, **orient, "type": kind}


def _forms(example: Any) -> tuple[str, Any, dict[str, Any]]:
    import numpy as np
    import pandas as pd

    if isinstance(example, pd.Series):
        example = example.to_frame()
    if isinstance(example, pd.DataFrame):
        text = example.to_json(orient="split", index=False, date_format="iso", double_precision=15)
        content = json.loads(text)
        return "dataframe", content, {"dataframe_split": content}
    if isinstance(example, np.ndarray):
        return "ndarray", example.tolist(), {"inputs": example.tolist()}
    return "json_object", example, {"inputs": example}


def load_example(folder: Path, model: Model) -> Any:
    """Return the input example saved with a model, None where there is none.

    Raises:
        InvalidInput: The MLmodel file names a file outside the model's folder, or the example is
            malformed.
        NotFound: The example's file is missing.
    """
    import numpy as np
    import pandas as pd

    info: Mapping[str, Any] | None = model.saved_input_example_info
    if info is None:
        return None
    path = file_inside(folder, info.get("artifact_path"))
    try:
        content = json.loads(path.read_text("utf-8"))
        match info.get("type"):
            case "dataframe":
                return pd.DataFrame(content["data"], columns=content.get("columns"))
            case "ndarray":
                return np.array(content)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"The input example {path} cannot be read: {error}.") from error
    return content
