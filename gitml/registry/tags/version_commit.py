"""Write and read version commits: a minimal tree that stock tools read from its tag."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import Run
from gitml.errors import Conflict, StoreError
from gitml.formats import limits, plain_yaml
from gitml.formats.model_records import VersionFile, version_file_from_json, version_file_to_json
from gitml.formats.run_records import run_folder
from gitml.git import Blob, CommitStream, Content, Files, GitRepo, RefUpdate, default_branch
from gitml.store.branch import TEMPORARY, Branch
from gitml.text import single_line

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CI_FILES = {".github": ("tree",), ".gitlab-ci.yml": ("blob",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """What a version is registered from.

    Attributes:
        run: The run that logged the model.
        source: ``runs:/<run_id>/<path>``.
        path: Folder of the model below the run's artifacts.
        digest: DVC hash of the model directory, 32 hex digits and ``.dir``.
        size: Bytes of all its files.
        nfiles: Number of its files.
        dvc_file: Bytes of a DVC file with one out: path ``model``, remote ``gitml``.
        mlmodel: Bytes of the model's ``MLmodel`` file.
        flavors: Names of its flavors.
        run_link: Address of the run in another system; empty for none.
    """

    run: Run
    source: str
    path: str
    digest: str
    size: int
    nfiles: int
    dvc_file: bytes
    mlmodel: bytes
    flavors: tuple[str, ...] = ()
    run_link: str = ""

    def version_file(self, name: str, version: int, *, created: int, user: str) -> VersionFile:
        """Describe the version that is registered from this.

        Args:
            name: The model's true name.
            version: The version.
            created: ms since the Unix epoch.
            user: Who registers it.
        """
        return VersionFile(
            name=name,
            version=version,
            run_id=self.run.info.run_id,
            source=self.source,
            path=self.path,
            digest=self.digest,
            size=self.size,
            nfiles=self.nfiles,
            flavors=self.flavors,
            code_commit=self.run.source.commit or "",
            dirty=self.run.source.dirty,
            created=created,
            user=user,
            run_link=self.run_link,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit that only a temporary ref holds; ``release`` is the update that lets go of it."""

    commit: str
    release: RefUpdate


class VersionCommits:
    """Writes version commits into one repository.

    Args:
        repo: The repository.
        branch: Where the runs are recorded.
        remote: The git remote whose default branch has the team's workflows.
    """

    def __init__(self, repo: GitRepo, branch: Branch, *, remote: str) -> None:
        self._repo = repo
        self._branch = branch
        self._remote = remote

    def write(self, slug: str, file: VersionFile, source: ModelSource, about: str) -> NewCommit:
        """Write the commit of one version.

        Args:
            slug: The model's name in tags and in ``dvc.yaml``.
            file: Its ``version.json``.
            source: The model.
            about: What DVC shows as the artifact's description.

        Raises:
            StoreError: git refused.
        """
        self._sweep()
        files: dict[str, Content] = {
            **self._workflows(),
            ".dvc/config": self._branch.remote_config(self._branch.tip()),
            "dvc.yaml": dvc_yaml(slug, about),
            "model.dvc": source.dvc_file,
            "MLmodel": source.mlmodel,
            "version.json": version_file_to_json(file),
        }
        return self._commit(file, self._parents(source.run), files)

    def file(self, commit: str) -> VersionFile | None:
        """Read a version commit's ``version.json``; None where the commit has none of ours."""
        return version_file(self._repo, commit)

    def renumber(self, slug: str, commit: str, file: VersionFile) -> NewCommit:
        """Write a version commit again under another number; everything else stays.

        Args:
            slug: The model's name in tags and in ``dvc.yaml``.
            commit: The version commit.
            file: Its ``version.json`` with the new number.

        Raises:
            StoreError: git refused, or that is no version commit.
        """
        old = self.file(commit)
        if old is None:
            raise StoreError(f"Commit {commit} has no version.json.")
        tree = self._repo.run("rev-parse", f"{commit}^{{tree}}").decode().strip()
        files: dict[str, Content] = {
            "": Blob(tree, mode="040000"),
            "version.json": version_file_to_json(file),
        }
        if self._repo.read(f"{commit}:dvc.yaml") == dvc_yaml(slug, about(old)):
            files["dvc.yaml"] = dvc_yaml(slug, about(file))
        parents = self._repo.run("rev-parse", f"{commit}^@").decode().split()
        return self._commit(file, parents, files)

    def _commit(self, file: VersionFile, parents: Sequence[str], files: Files) -> NewCommit:
        """Make a commit that has these files and no others of its parents."""
        ref = f"{TEMPORARY}/{uuid.uuid4().hex}"
        stream = CommitStream(ref, self._repo.identity, timestamp=file.created // 1000)
        self._repo.fast_import(stream.commit(_message(file), files, parents=parents, clear=True))
        commit = self._repo.ref(ref)
        if commit is None:
            raise StoreError(f"git did not keep the commit of {file.name!r}.", hint="Try again.")
        return NewCommit(commit=commit, release=RefUpdate(name=ref, new=None, old=commit))

    def abandon(self, new: NewCommit) -> None:
        """Let go of a commit that no tag came to hold."""
        with contextlib.suppress(Conflict):
            self._repo.update_refs([new.release])

    def _sweep(self) -> None:
        """Remove what a killed process left: versions are written under the registry's lock."""
        self._repo.clear_locks("refs/tags")
        if not (self._repo.common_dir / f"{TEMPORARY}/").is_dir():
            return
        self._repo.clear_locks(f"{TEMPORARY}/")
        names = self._repo.run("for-each-ref", "--format=%(refname) %(objectname)", f"{TEMPORARY}/")
        stale = (line.split() for line in names.decode().splitlines())
        updates = [RefUpdate(name=name, new=None, old=oid) for name, oid in stale]
        if updates:
            with contextlib.suppress(Conflict):
                self._repo.update_refs(updates)

    def _parents(self, run: Run) -> list[str]:
        """The code commit, as far as it is here, and the commit that recorded the run."""
        code, tip = run.source.commit or "", self._branch.tip()
        has_code = _COMMIT.fullmatch(code) and self._repo.contains(f"{code}^{{commit}}")
        recorded = self._recorded(run, tip) if tip else None
        return [commit for commit in (code if has_code else None, recorded) if commit]

    def _recorded(self, run: Run, tip: str) -> str:
        folder = run_folder(run.info.experiment_id, run.info.run_id)
        if not self._repo.contains(f"{tip}:{folder}"):
            return tip  # the run is still going on
        out = self._repo.run("rev-list", "-1", tip, "--", folder)
        return out.decode().strip() or tip

    def _workflows(self) -> dict[str, Content]:
        """The default branch's workflows by reference: CI reads them from the tagged commit."""
        branch = default_branch.find(self._repo, self._remote)
        return {
            entry.path: Blob(entry.oid, mode=entry.mode)
            for entry in self._repo.tree(branch.commit if branch else "HEAD")
            if entry.type in _CI_FILES.get(entry.path, ()) and entry.mode != "120000"
        }


def version_file(repo: GitRepo, commit: str) -> VersionFile | None:
    """Read a version commit's ``version.json``; None where another tool made the commit."""
    return _file_of(repo.read(f"{commit}:version.json"))


def version_files(repo: GitRepo, commits: Sequence[str]) -> dict[str, VersionFile | None]:
    """Read the ``version.json`` of many version commits with one process, by commit."""
    names = [f"{commit}:version.json" for commit in commits]
    contents = repo.read_checked(names, limits.READ_RECORD)
    return {
        commit: _file_of(None if isinstance(data, StoreError) else data)
        for commit, data in zip(commits, contents, strict=True)
    }


def _file_of(data: bytes | None) -> VersionFile | None:
    try:
        return version_file_from_json(data) if data else None
    except StoreError:  # anybody can tag a commit that has such a file
        return None


def about(file: VersionFile, description: str = "") -> str:
    """What DVC shows as the artifact's description: the first line, else name and version."""
    line = description.strip().split("\n")[0]
    return line[:200] or f"{file.name} version {file.version}"


def _message(file: VersionFile) -> str:
    return (
        f"{single_line(file.name)}: version {file.version}\n\n"
        f"Run: {file.run_id}\nModel: {file.source}\nDigest: {file.digest}\n"
    )


def dvc_yaml(slug: str, about: str) -> bytes:
    """Format the ``dvc.yaml`` that names a version commit's model."""
    artifact = {"path": "model", "type": "model", "desc": single_line(about)}
    text = plain_yaml.dump({"artifacts": {slug: artifact}}, width=80)
    return text.encode()
