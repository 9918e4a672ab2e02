"""Artifact bytes: one DVC directory object per run. The only importer of dvc and dvc_data.

::

    address.py    what a remote's URL may be, and how it is shown                        pure
    cache.py      folders of objects on this machine: the cache, the default remote      files
    reaching.py   what a failing remote raises becomes one sentence
    remote.py     opening, checking, reaching a DVC remote                               dvc
    progress.py   bytes of concurrent transfers, for one progress bar                    fsspec
    store.py      put, push, fetch, checkout: moving files between folder, cache, remote
"""
