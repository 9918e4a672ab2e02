"""Hides the exceptions of storages: what a failing remote raises becomes one sentence."""

from __future__ import annotations

import re
from types import TracebackType

from gitml.errors import GitmlError, RemoteUnavailable
from gitml.storage.address import mask

# Where the exceptions of a failing remote come from, beside OSError.
_TRANSPORTS = {
    *("aiohttp", "aiohttp_retry", "asyncssh", "azure", "botocore", "dvc", "dvc_objects", "fsspec"),
    *("gcsfs", "google", "httpx", "oss2", "ossfs", "pyarrow", "pydrive2", "requests", "s3fs"),
    *("scmrepo", "sshfs", "webdav4"),
}


class Reaching:
    """Turns what a failing remote raises inside its block into ``RemoteUnavailable``.

    A context manager and no ``except``: each kind of storage has exceptions of its own, in
    libraries that need not be installed, so they are told by where they come from.
    """

    def __init__(self, url: str, *, keep: type[BaseException] | tuple[()] = ()) -> None:
        """Take the remote's address, and an error that is to pass as it is."""
        self.url = url
        self.keep = keep

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: object, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Translate."""
        if exc is not None and not isinstance(exc, self.keep) and _is_transport_failure(exc):
            raise unavailable(self.url, exc) from exc


def unavailable(url: str, exc: BaseException) -> RemoteUnavailable:
    """Make the error of a remote that failed with ``exc``."""
    return RemoteUnavailable(
        f"The DVC remote '{mask(url)}' does not answer: {reason(exc)}.",
        hint="Nothing is lost; check its address and your access, then repeat the command.",
    )


def reason(exc: BaseException) -> str:
    """Say what went wrong, in one line and without credentials that URLs in it may hold."""
    if isinstance(exc, OSError) and exc.strerror:
        text = exc.strerror
    else:
        text = next(iter(str(exc).splitlines()), "") or type(exc).__name__
    text = re.sub(r"://[^/\s@]+@", "://***@", text)
    return re.sub(r"([?&][^=&\s]+)=[^&\s'\")]+", r"\1=***", text).rstrip(". ")


def _is_transport_failure(exc: BaseException) -> bool:
    if isinstance(exc, GitmlError):
        return False
    homes = {kind.__module__.partition(".")[0] for kind in type(exc).__mro__}
    return isinstance(exc, OSError | NotImplementedError) or not homes.isdisjoint(_TRANSPORTS)
