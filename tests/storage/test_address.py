"""What a branch may name as its remote: an address, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gitml.errors import InvalidInput, StoreError
from gitml.formats.dvc_config import dvc_config
from gitml.storage.address import PLUGINS, Address, recorded

DEFAULT = Path("/home/ada/prices/.git/gitml/remote")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/team/gitml", "s3://bucket/team/gitml"),
        ("ssh://user@host:2222/store", "ssh://user@host:2222/store"),
        ("/mnt/store", "/mnt/store"),
        ("file:///mnt/with%20space", "/mnt/with space"),
        (str(DEFAULT), str(DEFAULT)),
        ("/home/bob/prices/.git/gitml/remote", "/home/bob/prices/.git/gitml/remote"),
    ],
)
def test_addresses_are_taken(url: str, expected: str) -> None:
    assert recorded(dvc_config(url), default=DEFAULT) == Address(expected)


def test_without_an_address_the_files_are_in_this_clone() -> None:
    assert recorded(b"[core]\n    remote = x\n", default=DEFAULT) == Address(str(DEFAULT))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("remote://evil/x", "is of the kind 'remote://', which is not supported"),
        ("local:///x", "is of the kind 'local://'"),
        ("S3://bucket", "is of the kind 'S3://'"),
        ("ext::sh -c id://x", "is of the kind"),
        ("store/x", "is neither an absolute folder nor a URL"),
        ("../x", "is neither an absolute folder nor a URL"),
        ("/mnt/../etc", "is neither an absolute folder nor a URL"),
        ("~/x", "is neither an absolute folder nor a URL"),
        ("~root/x", "is neither an absolute folder nor a URL"),
        ("-oProxyCommand=id", "is neither an absolute folder nor a URL"),
        ("$HOME/x", "has a variable in it"),
        ("/mnt/${HOME}", "has a variable in it"),
        ("s3://%(user)s/x", "has a variable in it"),
        ("https://me:hunter2@host/x", "holds a password"),
        ("ssh://-oProxyCommand=id/x", "names a host or a user that begins with '-'"),
        ("ssh://-oProxyCommand=id@host/x", "names a host or a user that begins with '-'"),
        ("https://host/x?token=1", "has options"),
        ("https://host/x#y", "has options"),
        ("s3:///x", "names no host or bucket"),
        ("http://[::1/x", "cannot be parsed as a URL"),
        ("http://host:port/x", "cannot be parsed as a URL"),
        ("http://a b/x", "cannot be parsed as a URL"),
        ("http://host\\@evil/x", "cannot be parsed as a URL"),
        ("s3://" + "x" * 960, "is longer than 900 characters"),
        ("/home/ada/prices/.git", "is a folder inside this clone's .git"),
        ("/home/ada/prices/.git/hooks", "is a folder inside this clone's .git"),
        ("/home/ada/prices/.git/gitml/cache", "is a folder inside this clone's .git"),
        ("file:///home/ada/prices/.git/hooks", "is a folder inside this clone's .git"),
    ],
)
def test_everything_else_is_refused(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        recorded(dvc_config(url), default=DEFAULT)
    assert reason in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.hint == "Set another one with `gitml remote add NAME URL`."


@given(st.binary(max_size=400) | st.text().map(lambda text: dvc_config("/x") + text.encode()))
def test_any_file_gives_an_address_or_a_sentence(config: bytes) -> None:
    try:
        address = recorded(config, default=DEFAULT)
    except (InvalidInput, StoreError) as error:
        assert error.message.endswith(".")
        return
    assert address.scheme in PLUGINS or Path(address.url).is_absolute()


@given(
    st.text(max_size=60), st.sampled_from(["", "s3://", "ssh://", "/", "http://u:p@", "~", "x://"])
)
def test_an_address_never_has_a_password_a_variable_or_a_control_character(
    text: str, prefix: str
) -> None:
    try:
        address = Address(prefix + text)
    except InvalidInput:
        return
    assert (
        address.url.isprintable()
        and "${" not in address.url
        and ".." not in Path(address.url).parts
    )
    assert address.is_folder == (not address.scheme)
