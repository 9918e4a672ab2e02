"""Translate the failures of remotes, caches and folders into errors of one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from gitml.entities import Artifact
from gitml.errors import ArtifactError, GitmlError, InvalidInput, RemoteUnavailable
from gitml.files import advice
from gitml.storage.address import mask
from gitml.storage.backends import Failures

# Where the exceptions of a failing remote come from, beside OSError.
_TRANSPORTS = {
    *("aiohttp", "aiohttp_retry", "asyncssh", "azure", "botocore", "dvc", "dvc_objects", "fsspec"),
    *("gcsfs", "google", "httpx", "oss2", "ossfs", "pyarrow", "pydrive2", "requests", "s3fs"),
    *("scmrepo", "sshfs", "webdav4"),
}


@contextmanager
def translate_errors(
    url: str, *, operation: str = "do this", passing: type[Exception] | tuple[()] = ()
) -> Iterator[None]:
    """Raise ``RemoteUnavailable`` for what a failing remote raises inside the block.

    Every kind of storage has exceptions of its own, in libraries that need not be installed, so
    they are recognized by the package they come from.

    Args:
        url: The remote's address.
        operation: What is done, to follow "cannot".
        passing: Exceptions that are not translated.

    Raises:
        InvalidInput: This kind of remote has no such operation.
        RemoteUnavailable: The remote failed.
    """
    try:
        yield
    except NotImplementedError as exc:
        raise _unsupported(url, operation) from exc
    except Exception as exc:
        if isinstance(exc, passing) or not _is_transport_failure(exc):
            raise
        raise unavailable(url, exc) from exc


def _unsupported(url: str, operation: str) -> InvalidInput:
    kind = urlsplit(url).scheme.upper() or "a folder"
    return InvalidInput(
        f"The DVC remote '{mask(url)}' cannot {operation}: {kind} has no way to do it.",
        hint="Do it on the server itself.",
    )


def unavailable(url: str, exc: BaseException) -> RemoteUnavailable:
    """Return the error for a remote that failed with ``exc``."""
    return RemoteUnavailable(
        f"The DVC remote '{mask(url)}' does not answer: {reason(exc)}.",
        hint="Nothing is lost: check its address and your access, then repeat the command.",
    )


def reason(exc: BaseException) -> str:
    """Return what went wrong, in one line and without credentials of URLs in it."""
    if isinstance(exc, OSError) and exc.strerror:
        text = exc.strerror
    else:
        text = next(iter(str(exc).splitlines()), "") or type(exc).__name__
    text = re.sub(r"://[^/\s@]+@", "://***@", text)
    return re.sub(r"([?&][^?=&\s]+)=[^&\s'\")]+", r"\1=***", text).rstrip(". ")


def _is_transport_failure(exc: BaseException) -> bool:
    if isinstance(exc, GitmlError):
        return False
    packages = {kind.__module__.partition(".")[0] for kind in type(exc).__mro__}
    return isinstance(exc, OSError) or not packages.isdisjoint(_TRANSPORTS)


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Raise ``ArtifactError`` if a file cannot be stored in the cache."""
    try:
        yield
    except OSError as exc:
        path = exc.filename or folder
        raise ArtifactError(
            f"Cannot store artifacts in '{folder}': {exc.strerror or exc} ('{path}').",
            hint=advice(exc),
        ) from exc


@contextmanager
def writing(destination: Path) -> Iterator[None]:
    """Raise ``InvalidInput`` if a file cannot be written to a folder of the user."""
    try:
        yield
    except OSError as exc:
        path = exc.filename2 or exc.filename or destination
        raise InvalidInput(
            f"Cannot write '{path}': {exc.strerror or exc}.", hint="Choose another folder."
        ) from exc


def missing(files: Sequence[Artifact], url: str | None, keeper: str = "") -> ArtifactError:
    """Return the error for files that are neither in the cache nor in the remote.

    Args:
        files: The files.
        url: The remote's address; None if there is none.
        keeper: Who has them, if that is known.
    """
    first = min(files, key=lambda artifact: artifact.path)
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    subject = f"The artifact '{first.path}' (md5 {first.md5}){others}"
    if url is None:
        return ArtifactError(f"{subject} is not on this machine.", hint="Run `gitml pull`.")
    return ArtifactError(
        f"{subject} is missing from the DVC remote '{url}'.",
        hint=f"Ask {keeper} to type `gitml push` in the clone where the run was made."
        if keeper
        else "Run `gitml push` where the run was made.",
    )


def corrupt(artifact: Artifact, url: str | None) -> ArtifactError:
    """Return the error for a file whose content does not match its hash."""
    location = f"the DVC remote '{url}'" if url else "the cache of this machine"
    return ArtifactError(
        f"The artifact '{artifact.path}' (md5 {artifact.md5}) is corrupt in {location}.",
        hint="Delete that object, then run `gitml push` where the run was made.",
    )


def not_arrived(files: Sequence[Artifact], url: str, failures: Failures) -> RemoteUnavailable:
    """Return the error for files that a transfer did not bring to their destination."""
    first = min(files, key=lambda artifact: artifact.path)
    exc = failures.get(first.md5) or next(iter(failures.values()), None)
    why = f": {reason(exc)}" if exc else ""
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return RemoteUnavailable(
        f"'{first.path}'{others} could not be transferred to or from '{url}'{why}.",
        hint="Nothing is lost: repeat the command, it transfers only the rest.",
    )
