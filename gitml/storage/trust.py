"""Remember which addresses this clone may exchange artifacts with.

Whoever may push to the branch may name another address there. Requests, credentials and artifacts
go only to one that was accepted: by a person (`gitml remote add`, `gitml remote trust`, an answer
on a terminal), or by ``GITML_TRUSTED_REMOTES`` in CI.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from gitml import config, files
from gitml.errors import InvalidInput, UntrustedRemote
from gitml.formats import canonical
from gitml.storage.address import Address, mask

_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustQuestion:
    """What a person is asked at the first use of a remote.

    Attributes:
        address: The address that the branch names.
        origin: Who named it there and when; empty if that is unknown.
    """

    address: Address
    origin: str


_Ask = Callable[[TrustQuestion], bool]
_ask: ContextVar[_Ask | None] = ContextVar("ask", default=None)


@contextmanager
def asking(ask: _Ask) -> Iterator[None]:
    """Have a person asked at the first use of a remote inside the block."""
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


class Trust:
    """The addresses that one clone accepted."""

    def __init__(self, file: Path, *, origin: Callable[[], str]) -> None:
        """Use a file, which is made when the first address is accepted.

        Args:
            file: ``trusted.json`` in the local state.
            origin: Says who named the branch's address and when, such as "set by Ada on …".
        """
        self._file = file
        self._origin = origin
        self._declined: set[str] = set()

    def accepted(self) -> tuple[str, ...]:
        """Return the addresses that were accepted in this clone, in the order of that."""
        try:
            value = json.loads(self._file.read_bytes())
            return tuple(str(entry["url"]) for entry in value["remotes"])
        except (OSError, ValueError, KeyError, TypeError):  # nothing is accepted by a broken file
            return ()

    def accepts(self, address: Address) -> bool:
        """Return True if this clone, or this job of a CI, accepted an address."""
        return address.url in self.accepted() or spelled_in_variable(address) in _of_environment()

    def accept(self, address: Address) -> None:
        """Accept an address from now on."""
        self._write([*(url for url in self.accepted() if url != address.url), address.url])

    def withdraw(self, address: Address) -> None:
        """Accept an address no longer.

        Raises:
            InvalidInput: It was not accepted.
        """
        accepted = self.accepted()
        if address.url not in accepted:
            raise InvalidInput(
                f"This clone has not accepted '{address}'.", hint="See `gitml remote list`."
            )
        self._write([url for url in accepted if url != address.url])

    def require(self, address: Address, *, current: bool = True) -> None:
        """Go on only if an address is accepted; a person is asked at the first use.

        Args:
            address: The address.
            current: Whether the branch names it, not just one of its runs.

        Raises:
            UntrustedRemote: Nobody accepted it.
        """
        if self.accepts(address):
            return
        ask = _ask.get()
        if ask and not self._earlier() and address.url not in self._declined:
            origin = self._origin() if current else ""
            if ask(TrustQuestion(address=address, origin=origin)):
                self.accept(address)
                return
            self._declined.add(address.url)
        raise self.refusal(address, current=current)

    def refusal(self, address: Address, *, current: bool = True) -> UntrustedRemote:
        """Return the error for an address that is not accepted; arguments as for ``require``."""
        earlier = self._earlier()[-1:] if current else ()
        return _untrusted(address, self._origin() if current else "", "".join(earlier), current)

    def has_changed(self, address: Address) -> bool:
        """Return True if another address than this one was accepted."""
        return bool(self._earlier()) and not self.accepts(address)

    def _earlier(self) -> tuple[str, ...]:
        return (*_of_environment(), *self.accepted())

    def _write(self, urls: list[str]) -> None:
        remotes = [{"url": url} for url in urls]
        files.replace(self._file, canonical.dump({"schema": _SCHEMA, "remotes": remotes}))


def _of_environment() -> tuple[str, ...]:
    return config.environment().trusted_remotes


def spelled_in_variable(address: Address) -> str:
    """Spell an address as in the variable, where spaces and commas separate addresses."""
    return address.url.replace(" ", "%20").replace(",", "%2C")


def _argument(url: str) -> str:
    """Write an address as an argument that can be pasted into a shell, without credentials."""
    return shlex.quote(url) if url == mask(url) else "ADDRESS"


def _untrusted(address: Address, origin: str, earlier: str, current: bool) -> UntrustedRemote:
    accept = f"`gitml remote trust {_argument(address.url)}`"
    setter = f" ({origin})" if origin else ""
    if earlier:
        return UntrustedRemote(
            f"The branch names another remote for artifacts: '{address}'{setter}, instead of "
            f"'{mask(earlier)}', which this clone accepted. Nothing was sent there.",
            hint=f"If it really moved, run {accept}; if not, put the old one back with "
            f"`gitml remote add storage {_argument(earlier)}`.",
        )
    source = "The branch" if current else "The run"
    return UntrustedRemote(
        f"{source} names the remote '{address}'{setter}, which nobody accepted in this clone: "
        "nothing was sent there.",
        hint=f"If it is your team's, run {accept}; in CI, set GITML_TRUSTED_REMOTES to it.",
    )
