"""Read files of committed runs in blocks.

A request to git costs more than a small file does, so the files of neighbouring runs are read
together and cached for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from gitml.errors import StoreError
from gitml.formats import run_records
from gitml.git import GitRepo

_BLOCK = 1_000  # runs whose files are read together
_SMALL = 32_000  # bytes of a file that is read together with its neighbours


class CommittedRuns:
    """The files of runs at a commit.

    Args:
        repo: The repository.
        tip: The commit; None if there is no branch.
        runs: (experiment id, run id) of the runs, in the order in which they will be read.
    """

    def __init__(self, repo: GitRepo, tip: str | None, runs: Sequence[tuple[str, str]]) -> None:
        """List the runs' folders; no file is read yet."""
        self._repo = repo
        folders = repo.folders(tip, "runs") if tip else {}
        trees = (folders.get(run_records.run_folder(*ids), "") for ids in runs)
        self._trees = {run_id: tree for (_, run_id), tree in zip(runs, trees, strict=True) if tree}
        self._order = list(self._trees)
        self._positions = {run_id: position for position, run_id in enumerate(self._order)}
        self._names = lru_cache(maxsize=2)(self._read_names)
        self._contents = lru_cache(maxsize=8)(self._read_contents)  # a few files of two blocks

    def tree(self, run_id: str) -> str:
        """Return the tree id of a run's folder; empty if unknown."""
        return self._trees.get(run_id, "")

    def read(self, run_id: str, name: str) -> bytes:
        """Read a file of a run, by its path in the run's folder; empty if there is none.

        Raises:
            StoreError: It is larger than ``limits.READ_FILE`` bytes.
        """
        position = self._positions.get(run_id)
        if position is None:
            return b""
        if "/" in name:
            return self._repo.read(f"{self._trees[run_id]}:{name}") or b""
        block = position // _BLOCK
        oid = self._names(block).get(run_id, {}).get(name)
        if oid is None:
            return b""
        small = self._contents(block, name).get(oid)
        return small if small is not None else self._repo.read(oid) or b""

    def _read_names(self, block: int) -> Mapping[str, Mapping[str, str]]:
        """Return the ids of the files in the folders of a block: run id → name → id."""
        runs = self._order[block * _BLOCK : (block + 1) * _BLOCK]
        folders = self._repo.read_folders(self._trees[run_id] for run_id in runs)
        return dict(zip(runs, folders, strict=True))

    def _read_contents(self, block: int, name: str) -> Mapping[str, bytes]:
        """Return the content of the small files of one name in a block: id → bytes."""
        named = (files.get(name) for files in self._names(block).values())
        oids = list(dict.fromkeys(oid for oid in named if oid))  # many runs have the same packages
        contents = zip(oids, self._repo.read_checked(oids, _SMALL), strict=True)
        return {oid: data for oid, data in contents if not isinstance(data, StoreError)}
