"""The ``.dvc/config`` of the branch is the text stock DVC writes and reads."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from gitml.errors import StoreError
from gitml.formats.dvc_config import (
    dvc_config,
    ignored_settings,
    is_shared,
    remote_url,
    remote_urls,
)

OTHERS = """\
    bearer_token_command = touch /tmp/x
['remote "evil"']
    url = /t
[core]
    analytics = false
[cache]
    dir = /etc
loose = 1
"""


def pushed(url: str) -> bytes:
    """What somebody may push: our URL, and much else."""
    lines = f"loose = 1\n['remote \"gitml\"']\n    url = {url}\n{OTHERS}"
    return lines.removesuffix("loose = 1\n").encode()


def test_only_the_url_is_read_and_everything_else_is_named() -> None:
    assert remote_url(pushed("s3://team/x")) == "s3://team/x"
    assert ignored_settings(pushed("s3://team/x")) == [
        "loose", "remote.gitml.bearer_token_command", "remote.evil.url", "core.analytics",
        "cache.dir",
    ]  # fmt: skip
    assert ignored_settings(b"[core]\n    remote = evil\n") == ["core.remote"]
    assert ignored_settings(dvc_config("s3://team/x")) == []
    assert ignored_settings(b"\xff") == []


@given(st.text(max_size=300))
@example("both\"quotes'")
@example("a, b")
@example("%(home)s")
def test_a_url_that_can_be_read_can_be_written_again(url: str) -> None:
    try:
        read = remote_url(pushed(url))
    except StoreError:
        return
    if read:
        assert remote_url(dvc_config(read)) == read


@pytest.mark.parametrize("config", [b"", b"[core]\n    remote = team\n", b"gitml = 1\n"])
def test_a_configuration_without_our_remote_has_no_url(config: bytes) -> None:
    assert remote_url(config) is None


@pytest.mark.parametrize("config", [b"\xff\xfe", b"[core\n", b"just words\n"])
def test_a_broken_configuration_is_refused(config: bytes) -> None:
    with pytest.raises(StoreError, match=r"^Cannot parse .dvc/config: "):
        remote_url(config)


@pytest.mark.parametrize(
    ("url", "shared"),
    [
        ("/home/ada/prices/.git/gitml/remote", False),
        ("s3://team/gitml/remote", True),
        ("/mnt/store", True),
    ],
)
def test_a_remote_is_shared_unless_it_is_the_folder_of_a_clone(url: str, shared: bool) -> None:
    assert is_shared(dvc_config(url)) is shared
    text = b"['remote \"x\"']\n    url = /a/gitml/remote\n"
    assert is_shared(dvc_config(url) + text) is shared
    assert not is_shared(b"[core\n")


def test_the_settings_of_our_remote_are_not_a_remote_of_the_project() -> None:
    config = pushed("s3://team/x") + b"['remote \"gitml-0123abcd\"']\n    url = s3://team/y\n"
    assert remote_urls(config, None) == ["/t"]
