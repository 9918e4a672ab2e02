"""Find the files of a folder to store, and where to write those that are copied out of the cache.

Symbolic links are followed only inside the folder that is stored, and never when writing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gitml.errors import InvalidInput
from gitml.formats import artifact_paths


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk a folder; yield the artifact path of every file and the file with its content.

    Raises:
        InvalidInput: An entry is neither a file nor a folder, leads out of the folder by a symbolic
            link, or has a name that cannot be stored.
    """
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            if (Path(parent) / name).is_symlink():
                raise _unfit(Path(parent) / name, folder, "is a symbolic link to a folder")
        for name in names:
            path = Path(parent) / name
            artifact_paths.check(path.relative_to(folder).as_posix())
            yield path.relative_to(folder).as_posix(), _regular(path, folder)


def _raise(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):  # the folder itself may not exist
        raise exc


def _regular(path: Path, folder: Path) -> Path:
    content = path.resolve() if path.is_symlink() else path
    if path.is_symlink() and not content.is_relative_to(folder.resolve()):
        raise _unfit(path, folder, f"is a symbolic link out of its folder, to '{content}'")
    if not content.exists():
        raise _unfit(path, folder, "is a broken symbolic link")
    if not content.is_file():
        raise _unfit(path, folder, "is neither a file nor a folder")
    return content


def _unfit(path: Path, folder: Path, why: str) -> InvalidInput:
    name = os.path.relpath(path, folder)
    return InvalidInput(f"The artifact '{name}' {why}.", hint="Log the file itself.")


def target_path(destination: Path, name: str) -> Path:
    """Return where to write a file below a folder; its parent is created.

    Raises:
        InvalidInput: A folder on the way is a symbolic link.
    """
    target = destination / artifact_paths.check(name)
    folder = destination
    for part in Path(name).parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise InvalidInput(
                f"'{folder}' is a symbolic link; artifacts are not written through it.",
                hint="Choose another folder.",
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
