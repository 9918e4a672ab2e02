"""List the files of a work tree that this process runs, and those that no commit can hold.

A run executes more than its script: the modules that it imported and the files that its command
names. Those that git does not track are in no commit; neither is a script outside the repository.
"""

from __future__ import annotations

import os
import site
import sys
from functools import lru_cache
from pathlib import Path

from gitml.git import GitRepo

_GENERATED = ("_version.py",)  # written by tools that derive it from the commit
_INSTALLED = ("site-packages", "dist-packages")


def entry_point() -> Path | None:
    """Return the script that was started; None in an interactive session."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None) or (sys.argv[0] if sys.argv else "")
    if not path or path == "-c":
        return None
    return Path(path).resolve()


def outside(root: Path | None) -> Path | None:
    """Return the script that was started if it is outside a work tree and no installed program."""
    script = entry_point()
    if script is None or script.suffix != ".py" or not script.is_file():
        return None
    below = root is not None and script.is_relative_to(root.resolve())
    return None if below or _is_installed(str(script)) else script


def ran(root: Path) -> frozenset[str]:
    """Return the paths, relative to a work tree, of its scripts and modules that were loaded."""
    base = f"{root.resolve()}{os.sep}"
    prefixes = tuple({base, f"{root.absolute()}{os.sep}"})
    files = [vars(module).get("__file__") for module in list(sys.modules.values()) if module]
    script = entry_point()
    paths = [file for file in files if isinstance(file, str) and file.startswith(prefixes)]
    resolved = (os.path.realpath(path) for path in [*paths, *([str(script)] if script else [])])
    return frozenset(
        Path(path).relative_to(base).as_posix()
        for path in resolved
        if path.startswith(base) and not _is_installed(path) and os.path.isfile(path)  # noqa: PTH113
    )


def named(root: Path) -> frozenset[str]:
    """Return the paths of the files in a work tree that the command line names."""
    base, names = root.resolve(), set()
    for argument in sys.argv[1:]:
        path = Path(argument.partition("=")[2] if argument.startswith("-") else argument)
        try:
            if path.is_file():
                resolved = path.resolve()
                if resolved.is_relative_to(base) and not _is_installed(str(resolved)):
                    names.add(resolved.relative_to(base).as_posix())
        except (OSError, ValueError):  # a text that is no path
            continue
    return frozenset(names)


def untracked(repo: GitRepo, loaded: frozenset[str], others: frozenset[str]) -> list[str]:
    """Return which of these files git does not track.

    Args:
        repo: The repository.
        loaded: Scripts and modules. An ignored one counts, unless a build made it.
        others: Files that the command names: an ignored one does not count, such as data.
    """
    if repo.work_tree is None or not (loaded or others):
        return []
    try:
        index = (repo.git_dir / "index").stat()
    except FileNotFoundError:  # nothing was ever added
        return _untracked(repo, loaded, others, (0, 0))
    return _untracked(repo, loaded, others, (index.st_mtime_ns, index.st_size))


@lru_cache(maxsize=8)
def _untracked(
    repo: GitRepo, loaded: frozenset[str], others: frozenset[str], index: tuple[int, int]
) -> list[str]:
    """Ask git, once for a state of the index: each run of a process loads the same files."""
    assert repo.work_tree is not None
    paths = [f":(literal,top){name}" for name in sorted(loaded | others)]
    tracked = repo.run("ls-files", "-z", "--full-name", "--", *paths).decode("utf-8", "replace")
    missing = sorted((loaded | others) - {*tracked.split("\0")})
    missing = [name for name in missing if not _in_submodule(repo.work_tree, name)]
    if not missing:
        return []
    stdin = "".join(f"{name}\0" for name in missing).encode("utf-8", "surrogateescape")
    out = repo.run("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1))
    ignored = {*out.decode("utf-8", "replace").split("\0")}
    return [name for name in missing if name not in ignored or _is_source(name, loaded)]


def _is_source(name: str, loaded: frozenset[str]) -> bool:
    return name in loaded and name.endswith(".py") and not name.endswith(_GENERATED)


def _is_installed(path: str) -> bool:
    """Return True for a file of an installed program or library, which its version identifies."""
    if any(f"{os.sep}{folder}{os.sep}" in path for folder in _INSTALLED):
        return True
    return path.startswith(_prefixes())


@lru_cache(maxsize=1)
def _prefixes() -> tuple[str, ...]:
    prefixes = {os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, site.getuserbase())}
    return tuple(f"{p}/{folder}/" for p in prefixes for folder in ("bin", "lib", "lib64"))


def _in_submodule(root: Path, name: str) -> bool:
    """Return True for a file of a repository inside the work tree: its own commit counts."""
    parents = (root / name).parents
    return any(
        os.path.lexists(folder / ".git")
        for folder in parents
        if folder != root and folder.is_relative_to(root)
    )
