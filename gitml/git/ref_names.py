"""Check names of refs by the rules of ``git check-ref-format``."""

from __future__ import annotations

import re

from gitml.errors import InvalidInput


def check_ref_name(name: str) -> str:
    """Return ``name`` if git takes it as a branch name.

    Raises:
        InvalidInput: git would not (rules of ``git check-ref-format``).
    """
    bad = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.$|^/|/$|^-|^@$", name)
    if bad or not name or any(p.startswith(".") or p.endswith(".lock") for p in name.split("/")):
        raise InvalidInput(f"{name!r} is not a valid branch name.")
    return name
