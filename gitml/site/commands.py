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


def gto_show(repository: str, tag: str) -> str:
    """List what is in which stage with nothing but GTO."""
    return shlex.join(["gto", "show", tag.partition("@")[0], "--repo", repository])


def show_tag(tag: str) -> str:
    """Read a tag with nothing but git."""
    return shlex.join(["git", "show", "--no-patch", tag])


def check_proposal(branch: str) -> str:
    """Judge a proposal in a clone."""
    return f"git switch {shlex.quote(branch)}\ngitml registry check"


def serve_version(name: str, version: int) -> str:
    """Serve a model version with MLflow."""
    files = download_version(name, version)
    return f'mlflow models serve --env-manager local -p 5000 \\\n  -m "$({files})"'


def load_model(uri: str) -> str:
    """Load a model in Python."""
    return f"import gitml\n\nmodel = gitml.pyfunc.load_model({uri!r})\nmodel.predict(data)"
