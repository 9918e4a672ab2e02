"""Artifact bytes: one DVC directory object per run. The only importer of dvc and dvc_data.

::

    address.py    what a remote's URL may be, and how it is shown                        pure
    cache.py      folders of objects on this machine: the cache, the default remote      files
    reaching.py   what a failing remote raises becomes one sentence
    remote.py     opening, checking, reaching a DVC remote                               dvc
    progress.py   bytes of concurrent transfers, for one progress bar                    fsspec
    store.py      put, push, fetch, checkout: moving files between folder, cache, remote
"""

from __future__ import annotations

import importlib
from typing import Any

_MLFLOWS = ("download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text")


def __getattr__(name: str) -> Any:
    # MLflow's functions of this module's name; they follow URIs, which is above us.
    if name in _MLFLOWS:
        return getattr(importlib.import_module("gitml.uris"), name)
    raise AttributeError(f"module 'gitml.artifacts' has no attribute {name!r}")
