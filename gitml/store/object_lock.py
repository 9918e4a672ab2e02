"""Keep `gitml gc` and the programs that store artifacts apart, within one clone.

An object in the cache is garbage until a commit names it. So whoever stores objects, or relies on
one that is there already, holds the lock ``locks/objects`` *shared* from before the first look at
the cache until the commit or tag that names them exists: the end of a run, a checkpoint, a batch,
the registration of a version. `gitml gc` holds it *alone* while it reads for the last time what is
needed, and removes the rest. Nobody is in between then, so that no age is needed to be safe.

A program that dies drops its lock; what it had stored but not named is garbage, and its run, which
is still staged, is stored again when it is recovered. Clones share no lock: see
``sharing/collection.py``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from gitml import files

_NAME = "objects"


def storing(locks: Path) -> AbstractContextManager[None]:
    """Hold off `gitml gc` while objects are stored and named.

    Args:
        locks: The folder of the clone's locks.
    """
    return files.shared(locks / _NAME)


def collecting(locks: Path) -> AbstractContextManager[None]:
    """Hold off whoever stores objects, while those that nothing needs are removed.

    Args:
        locks: The folder of the clone's locks.
    """
    return files.alone(locks / _NAME)
