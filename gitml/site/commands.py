"""The commands that pages tell people to type; every piece of a user's text is quoted."""

from __future__ import annotations

import shlex


def download_run(run_id: str) -> str:
    """Fetch all files of a run."""
    return f"gitml artifacts download --run-id {run_id}"


def download_version(name: str, version: int) -> str:
    """Fetch the files of a model version."""
    uri = f"models:/{name}/{version}"
    return f"gitml artifacts download --artifact-uri {shlex.quote(uri)}"


def dvc_get(repository: str, tag: str) -> str:
    """Fetch the files of a model version with nothing but DVC.

    Args:
        repository: Address of the repository.
        tag: The tag that registered the version, such as ``Price@v2.0.0``.
    """
    model, _, version = tag.partition("@")
    words = ["dvc", "artifacts", "get", repository, model, "--rev", version]
    return shlex.join(words)


def load_model(uri: str) -> str:
    """Load a model in Python."""
    return f"import gitml\n\nmodel = gitml.pyfunc.load_model({uri!r})\nmodel.predict(data)"
