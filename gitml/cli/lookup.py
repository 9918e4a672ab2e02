"""Hides which run or experiment a user means: an id, the beginning of one, or a name."""

from __future__ import annotations

import re

from gitml.client import MlflowClient
from gitml.entities import Experiment, ViewType
from gitml.errors import InvalidInput, NotFound
from gitml.query.filters import RunQuery

_WHOLE_ID = re.compile(r"[0-9a-f]{32}")
_BEGINNING = re.compile(r"[0-9a-fA-F]{4,32}")
_SHOWN = 5


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
    found = index.find_runs(text) if _BEGINNING.fullmatch(text) else []
    if len(found) > 1:
        more = " …" if len(found) > _SHOWN else ""
        raise InvalidInput(
            f"{len(found)} runs have an id that begins with {text!r}.",
            hint=f"Give more digits: {', '.join(found[:_SHOWN])}{more}",
        )
    if found:
        return found[0]
    named = None if _WHOLE_ID.fullmatch(text) else _newest_named(client, text)
    if named is None:
        raise NotFound(f"No run {text!r:.80}.", hint="See `gitml runs list`.")
    return named


def _newest_named(client: MlflowClient, name: str) -> str | None:
    quoted = name.replace("'", "''")
    for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY):
        query = RunQuery(
            filter_string=f"attributes.run_name = '{quoted}'", run_view_type=view, max_results=1
        )
        for run in client.repository.index().search_runs(query).runs:
            return run.info.run_id
    return None


def experiment(client: MlflowClient, text: str) -> Experiment:
    """Find an experiment by its name, or else by its id.

    Raises:
        NotFound: There is none.
    """
    index = client.repository.index()
    found = index.experiment_by_name(text) or index.experiment(text)
    if found is None:
        raise NotFound(f"No experiment {text!r:.80}.", hint="See `gitml experiments list --all`.")
    return found
