"""Find what a proposal changes in the rules that judge it, and let the base's rules judge as well.

Whoever proposes a version could loosen its gates in the same pull request. So the gates of the base
judge beside its own, and settings that no gate can express may not change together with a stage.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest

from gitml import config
from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.git import GitRepo
from gitml.query.gates import Gate, Verdict
from gitml.registry.audit.signers import GPG_KEYS, SSH_KEYS
from gitml.registry.gates import declarations
from gitml.registry.gates.declarations import Declaration

OF_BASE = "a gate of the base, which the proposal lacks"
"""Note of a verdict by a gate that only the base has."""
_KEYS = (SSH_KEYS, GPG_KEYS)
_FOLDERS = {".github/workflows": "gitml-*.y*ml", ".gitlab": "gitml.yml", "": ".gitlab-ci.yml"}
"""Files of CI that judge and apply: folder to name."""
_RECORDS = ("branch", "git_remote")
_OF_SITE = "site."  # what the dashboard looks like, except its templates
_TEMPLATES = "site.templates"
_SIGNING = "registry."
_NOT_SIGNING = ("registry.proposal_prefix",)
_LONGEST = 400  # bytes of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A rule that a proposal changes; ``old`` or ``new`` is empty where there is none."""

    rule: str
    old: str
    new: str


def changes(repo: GitRepo, base: str, rev: str | None) -> tuple[RuleChange, ...]:
    """List the rules that differ between a base and a revision; None for the work tree."""
    before, after = _Files(repo, base), _Files(repo, rev)
    return (*_declared(before, after), *_settings(before, after), *_files(before, after))


def base_gates(repo: GitRepo, bases: Iterable[str], path: str, stage: Stage) -> tuple[Gate, ...]:
    """Return the gates that a stage has in any of some commits, each once."""
    gates: dict[str, Gate] = {}
    for base in bases:
        declaration = _last_valid(repo, base, path)
        for gate in declaration.gates.get(stage, ()) if declaration else ():
            gates.setdefault(gate.text, gate)
    return tuple(gates.values())


def frozen(repo: GitRepo, bases: Iterable[str], rev: str | None) -> tuple[Verdict, ...]:
    """Return a failing verdict for each setting that may not change together with a stage.

    Where the records are read from decides what gates measure, and who may sign decides who may
    promote, where the base asks for signatures.
    """
    after = _Files(repo, rev)
    verdicts: dict[str, Verdict] = {}
    for base in bases:
        before = _Files(repo, base)
        signed = before.settings.get("registry.signatures") == '"required"'
        rules = [change for change in _settings(before, after) if _is_frozen(change.rule, signed)]
        if signed:
            rules += [change for change in _files(before, after) if change.rule in _KEYS]
        for change in rules:
            verdicts.setdefault(change.rule, _unchanged(change))
    return tuple(verdicts.values())


def _is_frozen(rule: str, signed: bool) -> bool:
    key = rule.removeprefix(f"{config.FILE_NAME}: ")
    return key in _RECORDS or (
        signed and (key.startswith(_SIGNING) or not key) and key not in _NOT_SIGNING
    )


def _unchanged(change: RuleChange) -> Verdict:
    return Verdict(
        gate=f"{change.rule} stays as it is",
        measured=f"{change.old or 'nothing'} → {change.new or 'nothing'}",
        holds=False,
        note="change it in a pull request of its own, before it promotes anything",
    )


class _Files:
    """The files of a revision or of the work tree."""

    def __init__(self, repo: GitRepo, rev: str | None) -> None:
        self.repo = repo
        self.rev = rev
        self.settings = _flat_settings(self.read(config.FILE_NAME))

    def read(self, path: str) -> bytes | None:
        """Read a file; a symbolic link is the text that it holds, as in a commit."""
        if self.rev is not None or self.repo.work_tree is None:
            return self.repo.read(f"{self.rev or 'HEAD'}:{path}")
        file = self.repo.work_tree / path
        if file.is_symlink():
            return bytes(file.readlink())
        return file.read_bytes() if file.is_file() else None

    def names(self, folder: str) -> set[str]:
        """Return the names of a folder's entries."""
        if self.rev is not None or self.repo.work_tree is None:
            return {entry.path for entry in self.repo.tree(self.rev or "HEAD", folder)}
        path = self.repo.work_tree / folder
        return {entry.name for entry in path.iterdir()} if path.is_dir() else set()

    def below(self, folder: str) -> set[str]:
        """Return the paths of all files below a folder."""
        if self.rev is not None or self.repo.work_tree is None:
            entries = self.repo.tree(self.rev or "HEAD", folder, recursive=True)
            return {f"{folder}/{entry.path}" for entry in entries}
        args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
        out = self.repo.run(*args, f":(top,literal){folder}", ok=(0, 128))  # 128: it is outside
        return {name.decode("utf-8", "replace") for name in out.split(b"\0") if name}

    def declarations(self) -> dict[str, Declaration | None]:
        """Return what each file of declarations says, by path; None where it is not valid."""
        read: dict[str, Declaration | None] = {}
        for name in self.names(declarations.FOLDER):
            if name.endswith((".yaml", ".yml")):
                path = f"{declarations.FOLDER}/{name}"
                read[path] = _parsed(self.read(path), path)
        return read


# Changes -----------------------------------------------------------------------------------------


def _declared(before: _Files, after: _Files) -> Iterator[RuleChange]:
    old, new = before.declarations(), after.declarations()
    for path in sorted(old):
        earlier, later = old[path] or _last_valid(before.repo, before.rev, path), new.get(path)
        if earlier is None:
            continue
        if path not in new:
            yield RuleChange(rule=path, old=f"declares {earlier.model}", new="")
        if later is None:
            later = Declaration(model=earlier.model, path=path, text="")
        for stage in sorted({*earlier.gates, *later.gates}):
            texts = [[g.text for g in d.gates.get(stage, ())] for d in (earlier, later)]
            yield from _pairs(f"{earlier.model}: gates of {stage.value}", *texts)
        for metric in sorted(earlier.better):
            better = earlier.better[metric].value, str(later.better.get(metric, ""))
            if better[0] != better[1]:
                rule = f"{earlier.model}: better {metric}"
                yield RuleChange(rule=rule, old=better[0], new=better[1])


def _settings(before: _Files, after: _Files) -> Iterator[RuleChange]:
    old, new = before.settings, after.settings
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key) and (key == _TEMPLATES or not key.startswith(_OF_SITE)):
            rule = f"{config.FILE_NAME}: {key}" if key else config.FILE_NAME
            yield RuleChange(rule=rule, old=old.get(key, ""), new=new.get(key, ""))


def _files(before: _Files, after: _Files) -> Iterator[RuleChange]:
    paths = set(_KEYS)
    for files in (before, after):
        for folder, pattern in _FOLDERS.items():
            names = (name for name in files.names(folder) if fnmatchcase(name, pattern))
            paths |= {f"{folder}/{name}".lstrip("/") for name in names}
        templates = json.loads(files.settings.get(_TEMPLATES, '""')).strip("/")
        paths |= files.below(templates) if templates else set()
    for path in sorted(paths):
        old, new = before.read(path), after.read(path)
        if old != new and path in _KEYS:
            yield from _pairs(path, _lines(old), _lines(new))
        elif old != new:
            yield RuleChange(rule=path, old=_sized(old), new=_sized(new))


def _pairs(rule: str, old: Sequence[str], new: Sequence[str]) -> Iterator[RuleChange]:
    """Yield what was removed beside what was added."""
    removed = [text for text in old if text not in new]
    added = [text for text in new if text not in old]
    for earlier, later in zip_longest(removed, added, fillvalue=""):
        yield RuleChange(rule=rule, old=earlier, new=later)


def _lines(data: bytes | None) -> list[str]:
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    return [line.strip()[:_LONGEST] for line in lines if line.strip()]


def _sized(data: bytes | None) -> str:
    return "" if data is None else f"{len(data):,} bytes"


# Reading -----------------------------------------------------------------------------------------


def _flat_settings(data: bytes | None) -> Mapping[str, str]:
    """Return each setting as JSON, by its dotted name; the empty name where they are not valid."""
    try:
        settings = config.parse(data or b"")
    except InvalidInput as error:
        return {"": error.message}
    return dict(_flat(asdict(settings), ""))


def _flat(values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict) and not prefix:
            yield from _flat(value, f"{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False, sort_keys=True)


def _last_valid(repo: GitRepo, rev: str | None, path: str) -> Declaration | None:
    """Return the newest valid declaration of a branch; None where there is no file."""
    data = repo.read(f"{rev}:{path}")
    if data is None or rev is None:
        return None
    declaration = _parsed(data, path)
    if declaration:
        return declaration
    out = repo.run("log", "--first-parent", "--format=%H", rev, "--", path).decode().split()
    older = (_parsed(repo.read(f"{commit}:{path}"), path) for commit in out[1:])
    return next((declaration for declaration in older if declaration), None)


def _parsed(data: bytes | None, path: str) -> Declaration | None:
    try:
        return declarations.parse(data, path) if data is not None else None
    except InvalidInput:
        return None
