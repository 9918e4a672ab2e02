"""Read and write git: objects, refs, tags, fetch, push. Only this package imports GitPython."""

from gitml.git.credentials import without_credentials, without_password
from gitml.git.entities import REGULAR, ZERO, Change, Identity, RefUpdate, Tag, TreeEntry
from gitml.git.fast_import import Blob, CommitStream, Content, Files
from gitml.git.processes import Running
from gitml.git.ref_names import check_ref_name
from gitml.git.repo import GitRepo

__all__ = [
    "REGULAR",
    "ZERO",
    "Blob",
    "Change",
    "CommitStream",
    "Content",
    "Files",
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
