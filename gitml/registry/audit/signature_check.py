"""Check signatures of tags with git, and with the keys of a policy and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitml.config import child_environment
from gitml.errors import SignatureError
from gitml.git import GitRepo
from gitml.registry.audit.chain import TagFault, TagProblem
from gitml.registry.audit.signers import GPG_KEYS, SSH_KEYS, Policy
from gitml.registry.tags.grammar import TagEvent, parse, true_name
from gitml.registry.tags.messages import parse_detail, tag_signature
from gitml.threads import in_threads

_WORKERS = 4
_BATCH = 32  # tags that one process of git verifies
_HEADER = re.compile(
    r"object (?P<target>[0-9a-f]+)\ntype (?P<type>\w+)\ntag (?P<tag>[^\n]*)\n.*?\n\n", re.DOTALL
)
_GOOD = re.compile(
    r'^Good "git" signature for (?P<ssh>.+) with \S+ key \S+$'
    r"|^\[GNUPG:\] VALIDSIG .*?(?P<gpg>[0-9A-F]{40})$",
    re.MULTILINE,
)


@contextmanager
def signatures(repo: GitRepo, policy: Policy) -> Iterator[Signatures]:
    """Put the keys of a policy where git and gpg look for them, for a while.

    Args:
        repo: The repository.
        policy: Who may sign what, and their keys.

    Raises:
        SignatureError: gpg is needed and does not run, or cannot read the keys.
    """
    with tempfile.TemporaryDirectory(prefix="gitml-keys-") as name:
        folder = Path(name)
        (folder / "allowed_signers").write_bytes(policy.ssh)
        if policy.gpg:
            _import_keys(policy.gpg, folder)
        yield Signatures(repo, policy, folder)


def _import_keys(keys: bytes, folder: Path) -> None:
    program = shutil.which("gpg")
    if program is None:
        raise SignatureError(f"{GPG_KEYS} needs gpg to be read.", hint="Install GnuPG.")
    done = subprocess.run(
        [program, "--batch", "--no-autostart", "--quiet", "--import"],
        input=keys, capture_output=True, check=False, env=child_environment(GNUPGHOME=str(folder)),
    )  # fmt: skip
    if done.returncode:
        raise SignatureError(
            f"gpg cannot read {GPG_KEYS}.", hint="Write it with `gpg --armor --export KEY…`."
        )


class Signatures:
    """Checks who signed tags; see ``signatures``."""

    def __init__(self, repo: GitRepo, policy: Policy, folder: Path) -> None:
        self._repo = repo
        self._policy = policy
        self._folder = folder

    def faults(self, tags: Mapping[str, str]) -> Iterator[TagFault]:
        """Name the tags that are not signed by somebody who may.

        Args:
            tags: Name to id of each tag object.

        Raises:
            SignatureError: ``ssh-keygen``, which is needed, is not installed.
        """
        raws = [raw.decode("utf-8", "replace") for raw in self._repo.read_blobs(tags.values())]
        candidates: list[_Candidate] = []
        for (name, oid), raw in zip(tags.items(), raws, strict=True):
            checked = _candidate(name, oid, raw)
            if isinstance(checked, TagFault):
                yield checked
            else:
                candidates.append(checked)
        if any(candidate.by_ssh for candidate in candidates):
            self._require_ssh()
        batches = [candidates[i : i + _BATCH] for i in range(0, len(candidates), _BATCH)]
        signers = in_threads(self._batch, batches, workers=_WORKERS)
        for batch, names in zip(batches, signers, strict=True):
            yield from filter(None, map(self._fault, batch, names))

    def _require_ssh(self) -> None:
        """Refuse to take tags for forged only because nothing here can check them."""
        out = self._repo.run("config", "--get", "gpg.ssh.program", ok=(0, 1)).decode().strip()
        program = out or "ssh-keygen"
        if shutil.which(program) is None:
            raise SignatureError(
                f"Registry tags are signed with SSH keys, and {program} is not installed.",
                hint="Install OpenSSH's client.",
            )

    def _batch(self, batch: list[_Candidate]) -> list[list[str]]:
        """Return who signed each of some tags; with one process where all signatures are good."""
        groups = self._signers([candidate.oid for candidate in batch])
        if len(batch) == 1:
            return [[name for group in groups for name in group]]
        if len(groups) == len(batch):
            return groups
        half = len(batch) // 2
        return self._batch(batch[:half]) + self._batch(batch[half:])

    def _fault(self, candidate: _Candidate, signers: list[str]) -> TagFault | None:
        if not signers:
            reason = f"No key of {SSH_KEYS} or {GPG_KEYS} made its signature."
            return TagFault(
                tag=candidate.tag, oid=candidate.oid, problem=TagProblem.FORGED, reason=reason
            )
        return self._not_allowed(candidate, signers)

    def _not_allowed(self, candidate: _Candidate, signers: list[str]) -> TagFault | None:
        event = candidate.event
        model = true_name(event.model, parse_detail(candidate.message).model)
        allowed = self._policy.may_sign(model, event)
        if allowed is None or set(signers) & set(allowed):
            return None
        reason = f"{signers[0]:.120} signed it, who may not; {', '.join(allowed) or 'nobody'} may."
        return TagFault(
            tag=candidate.tag, oid=candidate.oid, problem=TagProblem.NOT_ALLOWED, reason=reason
        )

    def _signers(self, oids: list[str]) -> list[list[str]]:
        """Return who made the signature of each tag; fewer, or none, where one is not good.

        Every good signature prints at least one line, in the order of the tags. So as many lines as
        tags, and no failure, leave no doubt which belongs to which.
        """
        running = self._repo.start(
            "-c", f"gpg.ssh.allowedSignersFile={self._folder}/allowed_signers",
            "-c", "gpg.minTrustLevel=undefined", "verify-tag", "--raw", *oids,
            env={"GNUPGHOME": str(self._folder), "LC_ALL": "C"},
        )  # fmt: skip
        code, _, err = running.finish()
        if code:
            return []
        lines = _GOOD.finditer(err.decode("utf-8", "replace"))
        return [match["ssh"].split(",") if match["ssh"] else [match["gpg"]] for match in lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A tag whose signature is to be checked."""

    tag: str
    oid: str
    event: TagEvent
    message: str
    by_ssh: bool


def _candidate(name: str, oid: str, raw: str) -> _Candidate | TagFault:
    """Take a tag object apart, unless its name or a missing signature decides already."""
    event, header, signature = parse(name), _HEADER.match(raw), tag_signature(raw)
    if event is None or header is None or not signature:
        return TagFault(tag=name, oid=oid, problem=TagProblem.UNSIGNED, reason="It is not signed.")
    if header["tag"] != name:
        reason = f"It is the signed tag {header['tag']:.120} under another name."
        return TagFault(tag=name, oid=oid, problem=TagProblem.FORGED, reason=reason)
    by_ssh = "SSH" in signature.partition("\n")[0]
    message = raw[header.end() :]
    return _Candidate(tag=name, oid=oid, event=event, message=message, by_ssh=by_ssh)
