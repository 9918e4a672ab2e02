"""Sign tag objects with ``git tag --sign`` itself, in a folder of its own.

So every setting of git counts: ``gpg.format``, ``user.signingKey``, programs and agents. But git
would also make the ref, which is to come with others in one transaction; so it works in a git
folder that has the objects in common with the repository, and refs of its own.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from gitml.errors import SignatureError, StoreError
from gitml.git import GitRepo, Identity, Tag
from gitml.registry.tags.messages import tag_signature

_SETTINGS = r"^(user|gpg)\."


def is_configured(repo: GitRepo) -> bool:
    """Tell whether the user wants git to sign all annotated tags."""
    out = repo.run("config", "--type=bool", "--get", "tag.gpgSign", ok=(0, 1))
    return out.strip() == b"true"


def write_signed(repo: GitRepo, tag: Tag, who: Identity) -> str:
    """Write a signed tag object, without the ref that names it.

    Args:
        repo: The repository.
        tag: Name, target, time and message.
        who: The tagger.

    Returns:
        Id of the tag object.

    Raises:
        SignatureError: git cannot sign it.
    """
    with tempfile.TemporaryDirectory(prefix="gitml-sign-") as folder:
        aside = Path(folder)
        (aside / "refs").mkdir()
        (aside / "HEAD").write_text("ref: refs/heads/main\n")
        env = {
            "GIT_DIR": folder,
            "GIT_COMMON_DIR": folder,
            "GIT_OBJECT_DIRECTORY": str(repo.common_dir / "objects"),
            "GIT_COMMITTER_NAME": who.name,
            "GIT_COMMITTER_EMAIL": who.email,
            "GIT_COMMITTER_DATE": f"@{tag.timestamp} +0000",
        }
        args = (*_settings(repo), "tag", "--sign", "--cleanup=verbatim", "--file=-", tag.name,
                tag.target)  # fmt: skip
        try:
            repo.run(*args, stdin=f"{tag.message.rstrip()}\n".encode(), env=env)
            oid = (aside / "refs" / "tags" / tag.name).read_text().strip()
        except StoreError as error:
            why = re.sub(r"^`git -?\w+` failed: (error: )?", "", error.message)
            raise _unable(tag, why) from error
    raw = next(repo.read_blobs([oid])).decode("utf-8", "replace")
    if not tag_signature(raw):  # git 2.39 takes it for done when ssh-keygen finds no key
        raise _unable(tag, "the key cannot be used.")
    return oid


def _unable(tag: Tag, why: str) -> SignatureError:
    return SignatureError(
        f"Tag {tag.name} cannot be signed: {why}",
        hint="Set git's user.signingKey and gpg.format (`git tag -s` must work here).",
    )


def _settings(repo: GitRepo) -> list[str]:
    """What the repository's configuration says of signing, as options of git."""
    out = repo.run("config", "--null", "--get-regexp", _SETTINGS, ok=(0, 1)).decode()
    pairs = (item.partition("\n") for item in out.split("\0")[:-1])
    return [part for key, _, value in pairs for part in ("-c", f"{key}={value}")]
