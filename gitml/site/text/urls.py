"""Make every address of the site; no text of a user becomes a path.

Page addresses are relative to the site's root.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

from gitml.errors import InvalidInput

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def is_run_id(text: str) -> bool:
    """Return True if a text is a run id: 32 lower-case hex digits."""
    return _RUN_ID.fullmatch(text) is not None


@lru_cache(maxsize=1024)  # every run names its experiment
def slug(name: str, identity: str) -> str:
    """Return a file name for a name: its readable part, then a hash of the identity."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{words}-{digest}" if words else digest


def experiment_page(name: str, experiment_id: str) -> str:
    """Return the address of an experiment's page."""
    return f"experiments/{slug(name, experiment_id)}.html"


def timeline_page(name: str, experiment_id: str) -> str:
    """Return the address of an experiment's metrics over commits."""
    return f"history/{slug(name, experiment_id)}.html"


def model_page(name: str) -> str:
    """Return the address of a model's page."""
    return f"models/{slug(name, name)}.html"


def extra_page(name: str) -> str:
    """Return the address of a page that people wrote."""
    return f"pages/{slug(name, name)}.html"


def report_page(name: str) -> str:
    """Return the address of a report."""
    return f"reports/{slug(name, name)}.html"


def version_page(name: str, version: int) -> str:
    """Return the address of a model version's page."""
    return f"models/{slug(name, name)}/{version}.html"


def promotion_page(name: str, identity: str) -> str:
    """Return the address of a promotion's page.

    Args:
        name: The model.
        identity: The tag of a decided promotion; branch and stage of an open one.
    """
    return f"models/{slug(name, name)}/promotion-{digest(identity.encode('utf-8', 'replace'))}.html"


def run_page(run_id: str) -> str:
    """Return the address of a run's page."""
    return f"runs/{_checked(run_id)}.html"


def older_run(run_id: str) -> str:
    """Return the address of a run that has no page of its own."""
    return f"run.html#{_checked(run_id)}"


def older(number: int) -> str:
    """Return the address of a shard of older runs."""
    return f"data/older/{number}.js"


def ids(name: str) -> str:
    """Return the address of the script that maps ids of runs to their shards."""
    return f"data/ids/{name}.js"


def search() -> str:
    """Return the address of the head of the search index."""
    return "data/search.js"


def run_data(run_id: str) -> str:
    """Return the address of the script that holds a run's numbers and curves."""
    return f"data/runs/{_checked(run_id)}.js"


def shard(key: str, data: bytes) -> str:
    """Return the address of a table shard; it changes with the content."""
    return f"data/{key}.{digest(data)}.js"


def static(name: str, data: bytes) -> str:
    """Return the address of a style sheet or script; it changes with the content."""
    stem, _, extension = name.rpartition(".")
    return f"static/{stem}.{digest(data)}.{extension}"


def media(data: bytes, extension: str) -> str:
    """Return the address of a copied picture, named by its content."""
    return f"media/{hashlib.sha256(data).hexdigest()[:32]}.{extension}"


def copied_page(data: bytes) -> str:
    """Return the address of the script that carries a page of a run, named by its content."""
    return f"data/pages/{hashlib.sha256(data).hexdigest()[:32]}.js"


def digest(data: bytes) -> str:
    """Return the ten hex digits of a hash of content that go into file names."""
    return hashlib.sha256(data).hexdigest()[:10]


def _checked(run_id: str) -> str:
    if not is_run_id(run_id):
        raise InvalidInput(
            f"{run_id!r:.80} is not a run id.", hint="A run id is 32 lower-case hex digits."
        )
    return run_id
