"""MLflow's functions for artifacts: ``gitml.artifacts.download_artifacts`` and its siblings."""

from gitml.fluent.artifacts import (
    download_artifacts,
    list_artifacts,
    load_dict,
    load_image,
    load_text,
)

__all__ = ["download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"]
