"""Check signatures of tags with git, and with the keys of a policy and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
_HEADER = re.compile(
    r"object (?P<target>[0-9a-f]+)\ntype (?P<type>\w+)\ntag (?P<tag>[^\n]*)\n.*?\n\n", re.DOTALL
)
_BY_SSH = re.compile(r'^Good "git" signature for (.+) with \S+ key \S+$', re.MULTILINE)
_BY_GPG = re.compile(r"^\[GNUPG:\] VALIDSIG .*?([0-9A-F]{40})$", re.MULTILINE)


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
        """
        raws = (raw.decode("utf-8", "replace") for raw in self._repo.read_blobs(tags.values()))
        signed = list(zip(tags, tags.values(), raws, strict=True))
        yield from filter(None, in_threads(self._fault, signed, workers=_WORKERS))

    def _fault(self, tag: tuple[str, str, str]) -> TagFault | None:
        name, oid, raw = tag
        event, header = parse(name), _HEADER.match(raw)
        if event is None or header is None or not tag_signature(raw):
            return TagFault(tag=name, problem=TagProblem.UNSIGNED, reason="It is not signed.")
        if header["tag"] != name:
            reason = f"It is the signed tag {header['tag']:.120} under another name."
            return TagFault(tag=name, problem=TagProblem.FORGED, reason=reason)
        signers = self._signers(oid, by_ssh="SSH" in tag_signature(raw).partition("\n")[0])
        if not signers:
            reason = f"No key of {SSH_KEYS} or {GPG_KEYS} made its signature."
            return TagFault(tag=name, problem=TagProblem.FORGED, reason=reason)
        return self._not_allowed(name, event, raw[header.end() :], signers)

    def _not_allowed(
        self, name: str, event: TagEvent, message: str, signers: list[str]
    ) -> TagFault | None:
        model = true_name(event.model, parse_detail(message).model)
        allowed = self._policy.may_sign(model, event)
        if allowed is None or set(signers) & set(allowed):
            return None
        reason = f"{signers[0]:.120} signed it, who may not; {', '.join(allowed) or 'nobody'} may."
        return TagFault(tag=name, problem=TagProblem.NOT_ALLOWED, reason=reason)

    def _signers(self, oid: str, *, by_ssh: bool) -> list[str]:
        """Who made the signature of a tag; nobody where it is not good."""
        running = self._repo.start(
            "-c", f"gpg.ssh.allowedSignersFile={self._folder}/allowed_signers",
            "-c", "gpg.minTrustLevel=undefined", "verify-tag", "--raw", oid,
            env={"GNUPGHOME": str(self._folder), "LC_ALL": "C"},
        )  # fmt: skip
        code, _, err = running.finish()
        output = err.decode("utf-8", "replace")
        if code:
            return []
        if by_ssh:
            return [name for names in _BY_SSH.findall(output) for name in names.split(",")]
        return _BY_GPG.findall(output)
