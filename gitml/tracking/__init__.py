"""The tracking API: one repository opened for logging, MLflow's client and its fluent functions."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    # MLflow's scripts import it from here; the class itself also knows the registry, above us.
    if name == "MlflowClient":
        return importlib.import_module("gitml.client").MlflowClient
    raise AttributeError(f"module 'gitml.tracking' has no attribute {name!r}")
