"""Files that people wrote for the site: read from the work tree, never from outside it."""

from __future__ import annotations

from pathlib import Path

from gitml.errors import InvalidInput
from gitml.repository import Repository
from gitml.site.source import Document

MAX_BYTES = 256 * 1024


def inside(root: Path, text: str, key: str) -> Path:
    """Find a file or folder that a setting names below a work tree's root.

    Raises:
        InvalidInput: It lies elsewhere: settings come with a repository, and must not publish
            other files of whoever builds the site.
    """
    path = (root / text).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InvalidInput(
            f"gitml.yaml: {key} is {text!r:.80}, which is outside the repository.",
            hint="Copy it into the repository and name it from its root.",
        )
    return path


def pages(repository: Repository) -> tuple[Document, ...]:
    """Read the extra pages, by file name.

    Raises:
        InvalidInput: The folder that ``site.pages`` names is not there, or a file is malformed.
    """
    setting, root = repository.settings.site.pages, repository.git.work_tree
    if not setting or root is None:
        return ()
    folder = inside(root, setting, "site.pages")
    if not folder.is_dir():
        raise InvalidInput(
            f"The folder {setting} of extra pages does not exist.",
            hint="Change site.pages in gitml.yaml.",
        )
    return documents(folder, ".md")


def in_folder(repository: Repository, name: str, suffix: str) -> tuple[Document, ...]:
    """Read the files of a folder at the root, by name; none in a bare repository."""
    root = repository.git.work_tree
    return documents(root / name, suffix) if root and not (root / name).is_symlink() else ()


def signature(repository: Repository) -> tuple[object, ...]:
    """Give a value that changes whenever one of these files does."""
    root, setting = repository.git.work_tree, repository.settings.site.pages
    if root is None:
        return ()
    folders = [root / "views", root / "reports", *([inside(root, setting, "")] if setting else [])]
    files = [path for folder in folders for path in sorted(folder.glob("*.*"))]
    return tuple((str(p), s.st_mtime_ns, s.st_size) for p in files for s in [p.lstat()])


def documents(folder: Path, suffix: str) -> tuple[Document, ...]:
    """Read the files of a folder that end so, by name."""
    found = sorted(path for path in folder.glob(f"*{suffix}") if path.is_file())
    plain = [path for path in found if not path.is_symlink()]
    return tuple(Document(name=path.stem, text=read(path)) for path in plain)


def read(path: Path) -> str:
    """Read a text file.

    Raises:
        InvalidInput: It is too large, or no UTF-8 text.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{path} has more than {MAX_BYTES // 1024} KiB.", hint="Split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from error
