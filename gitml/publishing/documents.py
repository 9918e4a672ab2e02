"""Read the files that people write for the site: pages, reports and views of the work tree.

Settings come with the repository, so nothing outside the work tree is read, whatever links say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gitml import config, files
from gitml.errors import InvalidInput
from gitml.registry.gates import declarations
from gitml.repository import Repository
from gitml.site.source import Document

MAX_BYTES = 256 * 1024


def root(repository: Repository) -> Path:
    """Return the folder that paths in settings start from: the work tree, or the git folder."""
    return repository.git.work_tree or repository.git.git_dir


def inside(root: Path, text: str, key: str) -> Path:
    """Return the file or folder below the work tree's root that a setting names, links resolved.

    Raises:
        InvalidInput: It is outside, or inside git's own folder: a repository must not publish other
            files of whoever builds its site.
    """
    path = files.contained(root, text)
    if path is None:
        raise InvalidInput(
            f"gitml.yaml: {key} is {text!r:.80}, which is outside the repository.",
            hint="Copy it into the repository and name it from its root.",
        )
    return path


def pages(repository: Repository) -> tuple[Document, ...]:
    """Read the extra pages, by file name.

    Raises:
        InvalidInput: The folder that ``site.pages`` names does not exist.
    """
    setting, work_tree = repository.settings.site.pages, repository.git.work_tree
    if not setting or work_tree is None:
        return ()
    folder = inside(work_tree, setting, "site.pages")
    if not folder.is_dir():
        raise InvalidInput(
            f"The folder {setting} of extra pages does not exist.",
            hint="Change site.pages in gitml.yaml.",
        )
    return _read_folder(work_tree, folder, ".md")


def in_folder(repository: Repository, name: str, suffix: str) -> tuple[Document, ...]:
    """Read the files of a folder at the root and of those of projects, by name.

    There are none in a bare repository.
    """
    root = repository.git.work_tree
    if root is None:
        return ()
    documents = [] if (root / name).is_symlink() else [*_read_folder(root, root / name, suffix)]
    for project in _projects(repository):
        if (project / name).is_symlink():
            continue
        for document in _read_folder(root, project / name, suffix):
            documents.append(_of_project(root, project, document))
    return tuple(documents)


def _projects(repository: Repository) -> tuple[Path, ...]:
    """Return the folders below the root that have a ``gitml.yaml`` and that git does not ignore."""
    root = repository.git.work_tree
    assert root is not None
    listed = repository.git.run(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
        f"*/{config.FILE_NAME}",
    )  # fmt: skip
    paths = {root / os.fsdecode(name) for name in listed.split(b"\0") if name}
    return tuple(sorted(path.parent for path in paths if path.is_file()))


def _of_project(root: Path, project: Path, document: Document) -> Document:
    namespace = f"{project.relative_to(root).as_posix().replace('/', '-')}-"
    try:
        prefix, fault = config.experiment_prefix(root, project), document.fault
    except InvalidInput as error:
        prefix, fault = "", error
    return replace(
        document, name=f"{namespace}{document.name}", namespace=namespace,
        experiment_prefix=prefix, fault=fault,
    )  # fmt: skip


def code_file(repository: Repository, path: str, limit: int) -> bytes | None:
    """Return a file of the work tree that a document names; None if there is none that may be read.

    Args:
        repository: The repository.
        path: From its root.
        limit: Bytes that it may have.
    """
    work_tree = repository.git.work_tree
    if work_tree is None:
        return None
    try:
        return files.read_contained(work_tree, work_tree / path, limit, path)
    except (InvalidInput, OSError, ValueError):  # ValueError: a name with a NUL
        return None


def fingerprint(repository: Repository) -> tuple[object, ...]:
    """Return a value that changes whenever a file does that the site is made of.

    These are pages, reports, views and declarations, the logo and the user's templates.
    """
    return tuple((str(path), *_file_state(path)) for path in _site_files(repository))


def _file_state(path: Path) -> tuple[int, int]:
    try:
        stat = path.lstat()
    except FileNotFoundError:  # an editor is about to replace it
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _site_files(repository: Repository) -> Iterator[Path]:
    site = repository.settings.site
    if site.templates:
        folder = inside(root(repository), site.templates, "site.templates")
        yield from sorted(folder.rglob("*.*"))
    if site.logo:
        yield inside(root(repository), site.logo, "site.logo")
    work_tree = repository.git.work_tree
    if work_tree is None:
        return
    for folder in (work_tree, *_projects(repository)):
        yield folder / config.FILE_NAME
        for name in ("views", "reports"):
            yield from sorted((folder / name).glob("*.*"))
    yield from sorted((work_tree / declarations.FOLDER).glob("*.*"))
    if site.pages:
        yield from sorted(inside(work_tree, site.pages, "site.pages").glob("*.*"))


def _read_folder(root: Path, folder: Path, suffix: str) -> tuple[Document, ...]:
    """Read the files of a folder with the suffix, by name; those that cannot be read say why."""
    paths = sorted(
        path for path in folder.glob(f"*{suffix}") if path.is_symlink() or path.is_file()
    )
    return tuple(_document(root, path) for path in paths)


def _document(root: Path, path: Path) -> Document:
    name = path.relative_to(root).as_posix()
    try:
        data = files.read_contained(root, path, MAX_BYTES, name)
        return Document(name=path.stem, text=data.decode("utf-8-sig"), path=name)
    except UnicodeDecodeError:
        fault = InvalidInput(f"{name} is not UTF-8 text.", hint="Save it as UTF-8.")
    except OSError as error:
        fault = InvalidInput(f"{name} cannot be read: {error.strerror or error}.")
    except InvalidInput as error:
        fault = error
    return Document(name=path.stem, text="", path=name, fault=fault)
