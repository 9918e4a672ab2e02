"""Store artifact bytes in DVC: one directory object per run. The only importer of dvc and dvc_data.

::

    address.py    what a remote's URL may be, and how it is displayed                    pure
    cache.py      folders of objects on this machine: the cache, the default remote      files
    failures.py   one sentence for whatever a failing remote raises
    remote.py     open, check and reach a DVC remote                                     dvc
    backends.py   what a remote is made of, and the kind that is a folder of this machine
    dvc_remote.py DVC's own settings and storage classes                                 dvc
    folders.py    folders of files on this machine, as a transfer reads and fills them
    trust.py      the addresses that this clone accepted
    settings.py   what this machine's own files of DVC say of a remote                   dvc
    setting_keys.py  which settings a kind of remote has                                 dvc
    progress.py   bytes of concurrent transfers, for one progress bar                    fsspec
    transfer.py   put, push, fetch, check out: files between folder, cache and remote
"""
