"""The ``.dvc/config`` of the branch is the text stock DVC writes and reads."""

from __future__ import annotations

import pytest

from gitml.errors import StoreError
from gitml.formats.dvc_config import dvc_config, remote_url


def test_other_settings_stay_when_the_remote_moves() -> None:
    old = (
        dvc_config("s3://old/place")
        + b"    region = eu-west-1\n['remote \"team\"']\n    url = /t\n"
    )
    assert dvc_config("s3://new/place", old) == old.replace(b"old", b"new")


@pytest.mark.parametrize("config", [b"", b"[core]\n    remote = team\n", b"gitml = 1\n"])
def test_a_configuration_without_our_remote_has_no_url(config: bytes) -> None:
    assert remote_url(config) is None


@pytest.mark.parametrize("config", [b"\xff\xfe", b"[core\n", b"just words\n"])
def test_a_broken_configuration_is_refused(config: bytes) -> None:
    with pytest.raises(StoreError, match=r"^Cannot parse .dvc/config: "):
        remote_url(config)
