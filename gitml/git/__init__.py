"""Hides git: objects, refs, tags, fetch, push. The only package that imports GitPython."""

from gitml.git.credentials import without_credentials, without_password
from gitml.git.entities import REGULAR, Change, Identity, RefUpdate, Tag, TreeEntry
from gitml.git.processes import Running
from gitml.git.repo import LARGEST, ZERO, GitRepo, check_ref_name

__all__ = [
    "LARGEST",
    "REGULAR",
    "ZERO",
    "Change",
    "GitRepo",
    "Identity",
    "RefUpdate",
    "Running",
    "Tag",
    "TreeEntry",
    "check_ref_name",
    "without_credentials",
    "without_password",
]
