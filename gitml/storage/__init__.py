"""Store artifact bytes in DVC: one directory object per run. The only importer of dvc and dvc_data.

::

    address.py    what a remote's URL may be, and how it is displayed                    pure
    cache.py      folders of objects on this machine: the cache, the default remote      files
    failures.py   one sentence for whatever a failing remote raises
    remote.py     open, check and reach a DVC remote                                     dvc
    dvc_remote.py DVC's own settings and storage classes                                 dvc
    progress.py   bytes of concurrent transfers, for one progress bar                    fsspec
    transfer.py   put, push, fetch, check out: files between folder, cache and remote
"""
