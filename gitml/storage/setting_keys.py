"""Check the settings that a remote may have, by DVC's own schema."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput
from gitml.storage.address import Address

_PATHS = {
    *("cert_path", "configpath", "credentialpath", "gdrive_service_account_json_file_path"),
    *("gdrive_user_credentials_file", "key_path", "keyfile"),
}
_NEVER = {"url", "verify", "version_aware", "worktree"}  # not of the connection, or not our layout
_SECRET = re.compile(r"passw|passphrase|secret|token|connection_string|(account|customer)_key$")


def is_secret(key: str) -> bool:
    """Return True if a setting's value must not be shown."""
    return _SECRET.search(key) is not None


def check_setting(address: Address, key: str, value: str) -> str:
    """Return the value of a setting as it is written; paths absolute.

    Raises:
        InvalidInput: This kind of remote has no such setting, or it cannot have this value.
    """
    from voluptuous import Invalid, Schema

    check_key(address, key)
    if not value or not value.isprintable() or "%(" in value:
        raise InvalidInput(
            f"The value of {key} is empty, or has '%(' or characters that cannot be printed.",
            hint="DVC cannot read such a value.",
        )
    try:
        Schema({key: _allowed(address)[key]})({key: value})
    except Invalid as exc:
        quoted = "" if is_secret(key) else f" '{value:.60}'"
        raise InvalidInput(f"{key} cannot be{quoted}: {exc.msg}.") from exc
    if key in _PATHS and not value.startswith("~"):
        return os.path.normpath(Path.cwd() / value)
    return value


def check_key(address: Address, key: str) -> None:
    """Check that a kind of remote has a setting that may be written for it.

    Raises:
        InvalidInput: It has none of this name, or one that runs a command.
    """
    if address.is_folder:
        raise InvalidInput(f"'{address}' is a folder, which needs no settings.")
    if key.endswith("_command"):
        raise InvalidInput(
            f"{key} runs a command, so gitml does not write it.",
            hint="Write it yourself, into a file of DVC that git ignores; see the README.",
        )
    allowed = sorted(_allowed(address))
    if key not in allowed:
        close = difflib.get_close_matches(key, allowed, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It has: {', '.join(allowed)}."
        raise InvalidInput(f"{address.scheme}:// remotes have no setting {key!r:.60}.", hint=hint)


def _allowed(address: Address) -> Mapping[str, Any]:
    """Return the settings of a kind of remote, with what checks their values."""
    from dvc.config_schema import DEPRECATED, REMOTE_SCHEMAS

    return {
        str(key): check
        for key, check in REMOTE_SCHEMAS[address.scheme].items()
        if str(key) not in _NEVER and not str(key).endswith("_command")
        and getattr(key, "description", None) != DEPRECATED
    }  # fmt: skip
