"""Write the commands that pages offer to copy; every piece of a user's text is quoted."""

from __future__ import annotations

import shlex
from collections.abc import Collection

_ASK = (
    *("curl", "http://127.0.0.1:5001/invocations"),
    *("-H", "Content-Type: application/json", "-d"),
)


def download_run(run_id: str) -> str:
    """Fetch all files of a run."""
    return f"gitml artifacts download --run-id {run_id}"


def download_file(run_id: str, path: str) -> str:
    """Fetch one file of a run."""
    return f"gitml artifacts download {run_id} {shlex.quote(path)}"


def ask_model(run_id: str, path: str, body: str) -> str:
    """Serve a model of a run with stock MLflow and ask it for a prediction.

    Args:
        run_id: Id of the run.
        path: Folder below the run's artifacts.
        body: What curl sends as JSON; ``@`` and a file's name to send that file of the model.
    """
    folder = path.rpartition("/")[2]
    if body.startswith("@"):
        body = f"@{folder}/{body[1:]}"
    serve = ["mlflow", "models", "serve", "-m", folder, "-p", "5001", "--env-manager", "local"]
    ask = shlex.join([*_ASK, body])
    return f"{download_file(run_id, path)} -o .\n{shlex.join(serve)} &\n{ask}"


def ask_version(name: str, version: int, body: str) -> str:
    """Ask a model version that is served for a prediction; ``body`` as of :func:`ask_model`."""
    ask = shlex.join(_ASK)
    if body.startswith("@"):
        return f'{ask} \\\n  "@$({download_version(name, version)})/{body[1:]}"'
    return f"{ask} \\\n  {shlex.quote(body)}"


def reproduce(run_id: str, commit: str, command: str, tree: str, files: Collection[str]) -> str:
    """Run a run's code again in a work tree of its own.

    Args:
        run_id: Id of the run.
        commit: Id of the code's commit.
        command: The run's command line.
        tree: Id of the git tree that holds the run's record; empty where unknown.
        files: Which of ``source.patch`` and ``requirements.txt`` the record has.
    """
    folder = f"../run-{run_id[:8]}"
    lines = [f"git worktree add {folder} {commit}", f"cd {folder}"]
    if tree and "source.patch" in files:
        lines.append(f"git show {tree}:source.patch | git apply")
    if tree and "requirements.txt" in files:
        lines.append(f"git show {tree}:requirements.txt | pip install -r /dev/stdin")
    return "\n".join([*lines, command])


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
    return f'mlflow models serve --env-manager local -p 5001 \\\n  -m "$({files})"'


def load_model(uri: str) -> str:
    """Load a model in Python."""
    return f"import gitml\n\nmodel = gitml.pyfunc.load_model({uri!r})\nmodel.predict(data)"
