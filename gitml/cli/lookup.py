"""Find the run or experiment that an id, the beginning of an id, or a name stands for."""

from __future__ import annotations

import re

from gitml.client import MlflowClient
from gitml.entities import Experiment, ViewType
from gitml.errors import InvalidInput, NotFound

_WHOLE_ID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-fA-F]{4,32}")
_LISTED = 5
_MODEL = "/MLmodel"


def run_id(client: MlflowClient, text: str) -> str:
    """Find a run.

    Args:
        client: Where to look.
        text: A run id; its first digits, at least 4, where only one run has these; or a name,
            which stands for the newest run that bears it, an active one before a deleted one.

    Raises:
        NotFound: There is no such run.
        InvalidInput: Several ids begin like that.
    """
    index = client.repository.index()
    matches = index.find_runs(text) if _PREFIX.fullmatch(text) else []
    if len(matches) > 1:
        more = " …" if len(matches) > _LISTED else ""
        raise InvalidInput(
            f"{text!r} is ambiguous: the ids of {len(matches)} runs begin with it.",
            hint=f"Give more digits: {', '.join(matches[:_LISTED])}{more}",
        )
    if matches:
        return matches[0]
    newest = None if _WHOLE_ID.fullmatch(text) else _newest_named(client, text)
    if newest is None:
        raise NotFound(f"No run {text!r:.80}.", hint="See `gitml runs list`.")
    return newest


def model_uri(client: MlflowClient, text: str) -> str:
    """Find a logged model.

    Args:
        client: Where to look.
        text: A URI, in which a run may stand as in ``run_id``; or a run alone, which has one model.

    Raises:
        NotFound: There is no such run, or it has no model.
        InvalidInput: It has several models.
    """
    scheme, _, rest = text.partition(":/")
    if scheme == "runs":
        run, _, path = rest.lstrip("/").partition("/")
        return f"runs:/{run_id(client, run)}/{path}"
    if scheme == "models" or "://" in text:
        return text
    run = run_id(client, text)
    paths = [artifact.path for artifact in client.repository.files(run).artifacts]
    uris = [f"runs:/{run}/{path.removesuffix(_MODEL)}" for path in paths if path.endswith(_MODEL)]
    if len(uris) == 1:
        return uris[0]
    if not uris:
        raise NotFound(
            f"Run {run} has no model.", hint=f"`gitml artifacts list {run}` lists what it has."
        )
    raise InvalidInput(
        f"Run {run} has {len(uris)} models.", hint=f"Give one: {', '.join(uris[:_LISTED])}"
    )


def _newest_named(client: MlflowClient, name: str) -> str | None:
    quoted = name.replace("'", "''")
    for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY):
        for run in client.search_runs(None, f"attributes.run_name = '{quoted}'", view, 1):
            return run.info.run_id
    return None


def experiment(client: MlflowClient, text: str) -> Experiment:
    """Find an experiment by its name, or else by its id.

    Raises:
        NotFound: There is none.
    """
    index = client.repository.index()
    match = index.experiment_by_name(text) or index.experiment(text)
    if match is None:
        raise NotFound(f"No experiment {text!r:.80}.", hint="See `gitml experiments list --all`.")
    return match
