"""A patch loses its secrets and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitml.tracking import patches
from gitml.tracking.patches import Redacted, is_private, redact
from tests.conftest import git

FILES = {
    "train.py": "import os\nPASSWORD = 'hunter2'\nlr = 0.1\n",
    "a folder/conf é.yaml": "api_key: abc\nkey: id\n",
    ".env": "SECRET=abc\n",
    ".env.example": "SECRET=change\n",
    "b/id_rsa": "abc\n",
    "plain.txt": "nothing\n",
}


def patch_of(repository: Path) -> bytes:
    for name, content in FILES.items():
        path = repository / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    (repository / "image").write_bytes(bytes(range(256)) * 9)
    git(repository, "add", "--all")
    return (git(repository, "diff", "--binary", "HEAD") + "\n").encode()


def test_files_of_secrets_are_left_out_and_values_hidden(repository: Path) -> None:
    redacted = redact(patch_of(repository))

    assert redacted.files == (".env", "b/id_rsa")
    assert redacted.values == 3
    for secret in (b"hunter2", b"SECRET=abc", b"api_key: abc"):
        assert secret not in redacted.data
    git(repository, "reset", "--hard", "-q")
    (repository.parent / "patch").write_bytes(redacted.data)
    git(repository, "apply", "../patch")
    assert (repository / "train.py").read_text() == "import os\nPASSWORD = '***'\nlr = 0.1\n"
    assert (repository / "a folder/conf é.yaml").read_text() == "api_key: ***\nkey: id\n"
    assert (repository / "image").read_bytes() == bytes(range(256)) * 9
    assert not (repository / ".env").exists()


def test_a_patch_without_secrets_stays_as_it_is(repository: Path) -> None:
    (repository / "train.py").write_bytes(b"latin \xe9\xff\r\ntoken = tokenizer.next()\n")
    diff = ["git", "diff", "--binary", "HEAD"]
    patch = subprocess.run(diff, cwd=repository, capture_output=True, check=True).stdout

    assert redact(patch) == Redacted(data=patch, changed=("train.py",))
    assert redact(b"") == Redacted(data=b"")


def test_every_byte_comes_back() -> None:
    part = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-" + bytes(range(14, 256)) + b"\n"

    assert redact(part + part) == Redacted(data=part + part, changed=("x", "x"))


@pytest.mark.parametrize(
    ("name", "private"),
    [
        (".env", True), (".env.local", True), (".env.example", False), ("prod.env", True),
        ("id_ed25519", True), ("id_ed25519.pub", False), ("server.pem", True),
        ("credentials.json", True), ("credentials.py", False), ("secrets.yaml", True),
        ("secrets.py", False), ("train.py", False), ("environment.yml", False), ("key.py", False),
    ],
)  # fmt: skip
def test_files_of_secrets_are_recognized_by_their_names(name: str, private: bool) -> None:
    assert is_private(name) is private


@pytest.mark.parametrize("path", ["x", "a b/c", "b/b", "x b/x"])
def test_the_path_of_a_part_is_read_from_its_header(path: str) -> None:
    assert patches._path(f"diff --git a/{path} b/{path}\nindex") == path


def test_a_quoted_path_is_read_too() -> None:
    assert patches._path('diff --git "a/x\\303\\251/.env" "b/x\\303\\251/.env"\n') == (
        "x\\303\\251/.env"
    )
