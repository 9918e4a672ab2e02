"""Log runs and read them: MLflow's tracking client on one repository."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # MLflow's scripts import it from here; the class also knows the registry, which is above us.
    if name == "MlflowClient":
        from gitml.client import MlflowClient

        return MlflowClient
    raise AttributeError(f"module 'gitml.tracking' has no attribute {name!r}")
