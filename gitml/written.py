"""Files that people wrote for the site: read from the work tree, never from outside it."""

from __future__ import annotations

from pathlib import Path

from gitml.errors import InvalidInput
from gitml.site.content import Document
from gitml.tracking.repository import Repository

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
    return documents(folder)


def documents(folder: Path) -> tuple[Document, ...]:
    """Read the Markdown files of a folder, by name."""
    found = sorted(path for path in folder.glob("*.md") if path.is_file() and not path.is_symlink())
    return tuple(Document(name=path.stem, text=read(path)) for path in found)


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
