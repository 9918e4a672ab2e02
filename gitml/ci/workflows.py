"""Write the workflows that let CI review, apply and release promotions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

from gitml import files
from gitml.errors import InvalidInput
from gitml.git import Files, default_branch
from gitml.repository import Repository
from gitml.storage.address import Address
from gitml.storage.trust import spelled_in_variable
from gitml.version import __version__

_RECORDS = {
    "github": {".github/workflows/gitml-records.yml": "github/gitml-records.yml"},
    "gitlab": {".gitlab-ci.yml": "gitlab/gitlab-ci.yml"},
}
"""What goes onto the branch of the runs as well: path to template."""
_WORK_TREE = {
    "github": {
        f".github/workflows/gitml-{name}.yml": f"github/gitml-{name}.yml"
        for name in ("review", "registry", "release", "dashboard", "records")
    },
    "gitlab": {".gitlab/gitml.yml": "gitlab/gitml.yml"},
}
_EXTRAS = {
    "azure": "azure", "gs": "gs", "hdfs": "hdfs", "oss": "oss", "s3": "s3", "ssh": "ssh",
    "webdav": "webdav", "webdavs": "webdav", "webhdfs": "hdfs",
}  # fmt: skip
"""Scheme of a remote's address to the extra of gitml that it needs."""
_OIDC = ("azure", "gs", "s3")  # clouds that trust a job by its id token
_SIGN_IN = (*_OIDC, "ssh")
_ID_TOKEN = "\n      id-token: write # signs in to the artifacts' remote"
_DEFAULT_SPEC = re.compile(rb"""['"]gitml(?:\[(?P<extras>[a-z0-9,]*)\])?~=""")
_GITLAB_ROOT = ".gitlab-ci.yml"  # people have one: it gets one more include


class Host(StrEnum):
    """Hosts that run the jobs."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenWorkflows:
    """Which workflows were written.

    Attributes:
        files: Paths below the work tree's root, as far as they changed.
        branch_files: Paths on the branch of the runs, likewise.
        include: Lines that people have to add to their own ``.gitlab-ci.yml``; empty for none.
    """

    files: tuple[str, ...]
    branch_files: tuple[str, ...]
    include: str = ""


def write(repository: Repository, host: Host, *, overwrite: bool = False) -> WrittenWorkflows:
    """Write the workflows of a host into the work tree, and onto the branch of the runs.

    Args:
        repository: The repository.
        host: Who runs them.
        overwrite: Whether to replace files that differ.

    Raises:
        InvalidInput: There is no work tree, or files would be replaced; nothing was written.
    """
    root = repository.git.work_tree
    if root is None:
        raise InvalidInput(
            "A bare repository has no work tree for workflows.", hint="Run it in a clone."
        )
    values = _values(repository)
    texts = {path: _filled(name, values) for path, name in _WORK_TREE[host].items()}
    include = ""
    if host is Host.GITLAB:
        text = _filled("gitlab/gitlab-ci.yml", values)
        if not (root / _GITLAB_ROOT).exists():
            texts[_GITLAB_ROOT] = text
        elif "/.gitlab/gitml.yml" not in (root / _GITLAB_ROOT).read_text("utf-8", "replace"):
            include = text.decode()
    changed = {path: data for path, data in texts.items() if _bytes(root / path) != data}
    _refuse_others(root, changed, overwrite)
    for path, data in changed.items():
        files.replace(root / path, data)
    for_branch = {path: _filled(name, values) for path, name in _RECORDS[host].items()}
    return WrittenWorkflows(
        files=tuple(changed), branch_files=_onto_branch(repository, for_branch), include=include
    )


def missing_extras(repository: Repository) -> tuple[str, ...]:
    """Return the written workflows that install gitml without what the remote needs now."""
    root, extra = repository.git.work_tree, _extra(repository)
    if root is None or not extra:
        return ()
    paths = (path for templates in _WORK_TREE.values() for path in templates)
    defaults = {path: _DEFAULT_SPEC.search(_bytes(root / path) or b"") for path in paths}
    return tuple(
        path
        for path, spec in defaults.items()
        if spec and extra.encode() not in (spec["extras"] or b"").split(b",")
    )


def _values(repository: Repository) -> Mapping[str, str]:
    """Return the values of the templates; names as JSON, which is valid YAML whatever they are."""
    extra = _extra(repository)
    scheme = repository.remote_url().partition("://")[0]
    return {
        "__DEFAULT_BRANCH__": json.dumps(_default_branch(repository)),
        "__RUNS_BRANCH__": json.dumps(repository.branch.name),
        "__TRUSTED_REMOTES__": json.dumps(_trusted(repository), ensure_ascii=False),
        "__GITML__": f"gitml[{extra}]~={__version__}" if extra else f"gitml~={__version__}",
        "__SIGN_IN__": _template(f"sign_in/{scheme}.yml") if scheme in _SIGN_IN else "",
        "__OIDC__": _ID_TOKEN if scheme in _OIDC else "",
    }


def _extra(repository: Repository) -> str:
    """Return the extra that brings what the remote's scheme needs; empty if none does."""
    return _EXTRAS.get(repository.remote_url().partition("://")[0], "")


def _trusted(repository: Repository) -> str:
    """Return the address that jobs exchange artifacts with; empty if clones keep them."""
    if repository.uses_default_remote():
        return ""
    return spelled_in_variable(repository.remotes.address())


def without_remote(repository: Repository, address: Address) -> list[str]:
    """Return the workflows of the work tree whose jobs would not accept a remote."""
    root = repository.git.work_tree
    paths = [path for texts in _WORK_TREE.values() for path in texts] if root else []
    stale = []
    for path in paths:
        text = (_bytes(root / path) or b"").decode("utf-8", "replace") if root else ""
        values = re.findall(r"^[ \t]*GITML_TRUSTED_REMOTES: *(.*)$", text, re.MULTILINE)
        accepted = {word.strip("\"'") for value in values for word in re.split(r"[\s,]+", value)}
        if values and spelled_in_variable(address) not in accepted:
            stale.append(path)
    return stale


def _default_branch(repository: Repository) -> str:
    """Return the remote's default branch, or the one that is checked out if there is no remote."""
    branch = default_branch.find(repository.git, repository.settings.git_remote)
    return branch.branch if branch else repository.git.head()[1] or "main"


def _template(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _filled(template: str, values: Mapping[str, str]) -> bytes:
    text = _template(template)
    for name, value in values.items():
        text = text.replace(name, value)
    return text.encode()


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _refuse_others(root: Path, changed: Mapping[str, bytes], overwrite: bool) -> None:
    for path in changed:
        links = [part for part in (root / path, *(root / path).parents) if part.is_symlink()]
        if any(link.is_relative_to(root) and link != root for link in links):
            raise InvalidInput(
                f"{path} is or lies behind a symbolic link.", hint="Put plain folders there."
            )
    existing = [path for path in changed if (root / path).exists()]
    if existing and not overwrite:
        raise InvalidInput(
            f"Nothing was changed: {', '.join(existing)} "
            f"{'differs' if len(existing) == 1 else 'differ'} from what would be written.",
            hint="Add --force to replace them; `git diff` then shows what changed.",
        )


def _onto_branch(repository: Repository, texts: Mapping[str, bytes]) -> tuple[str, ...]:
    branch = repository.branch
    written: list[str] = []

    def make(tip: str | None) -> tuple[Files, str]:
        changed = {
            p: data for p, data in texts.items() if tip is None or branch.read(p, tip) != data
        }
        written[:] = changed
        return changed, "ci: what is started by a push of this branch\n"

    branch.update(make)
    return tuple(written)
