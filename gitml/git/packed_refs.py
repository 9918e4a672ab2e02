"""Read refs that git packed into one file, without a process."""

from __future__ import annotations

from pathlib import Path


class PackedRefs:
    """The file ``packed-refs`` of a repository, parsed again when it changes.

    Args:
        common_dir: The ``.git`` folder shared by linked work trees.
    """

    def __init__(self, common_dir: Path) -> None:
        self._path = common_dir / "packed-refs"
        self._key: tuple[int, int] | None = None
        self._refs: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """Return what a ref points at; None if it is not packed."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        key = (stat.st_mtime_ns, stat.st_size)
        if self._key != key:
            lines = (line.split(" ", 1) for line in self._path.read_text().splitlines() if line)
            pairs = (pair for pair in lines if len(pair) == 2 and pair[0] != "#")
            self._refs = {ref: oid for oid, ref in pairs}
            self._key = key
        return self._refs.get(name)
