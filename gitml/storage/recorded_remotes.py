"""From what a branch says of remotes to remotes that this clone accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from gitml.errors import StoreError
from gitml.formats import dvc_config
from gitml.git import GitRepo
from gitml.storage.address import Address, recorded
from gitml.storage.remote import Remote
from gitml.storage.settings import machine_settings
from gitml.storage.trust import Trust

_UNREADABLE = "(.dvc/config cannot be parsed)"


class RecordsBranch(Protocol):
    """The branch, as far as remotes need it."""

    def tip(self) -> str | None:
        """Return the id of the newest commit."""
        ...

    def read(self, path: str, tip: str | None = None) -> bytes | None:
        """Read one file; None if there is none."""
        ...


class RecordedRemotes:
    """The remotes that a branch, its runs and versions name.

    Attributes:
        default: The one that needs no set-up: a folder in this clone's ``.git``.
        trust: The addresses that this clone accepted.
    """

    def __init__(self, git: GitRepo, branch: RecordsBranch, state: Path) -> None:
        """Read a branch; ``state`` is the folder of the clone's local state."""
        self.default = state / "remote"
        self.trust = Trust(state / "trusted.json", origin=self._origin)
        self._git, self._branch = git, branch

    def url(self) -> str:
        """Return the URL that the branch names, to be displayed or compared.

        It is as somebody pushed it; `address` checks it.
        """
        try:
            url = dvc_config.remote_url(self._pushed())
        except StoreError:
            return _UNREADABLE
        return url if url and not dvc_config.is_clone_folder(url) else str(self.default)

    def is_default(self) -> bool:
        """Return True if artifacts stay in this clone's own folder."""
        return self.url() == str(self.default)

    def address(self) -> Address:
        """Return the address that the branch names.

        Raises:
            StoreError: The branch's ``.dvc/config`` cannot be parsed.
            InvalidInput: What it names is not an address.
        """
        if self.is_default():
            return Address(str(self.default))
        return recorded(self._pushed(), default=self.default)

    def ignored_settings(self) -> list[str]:
        """Name the settings of the branch's ``.dvc/config`` that gitml does not obey."""
        return dvc_config.ignored_settings(self._pushed())

    def open(self, config: bytes | None = None, *, run_folder: str = "") -> Remote:
        """Open the remote of the branch, or the one that a run's own configuration names.

        Args:
            config: The run's ``.dvc/config``; None or empty for the branch's.
            run_folder: The run's folder on the branch, to name who logged it.

        Raises:
            StoreError: The configuration cannot be parsed.
            InvalidInput: What it names is not an address.
        """
        address = recorded(config, default=self.default) if config else self.address()
        return self.open_address(address, config, run_folder=run_folder)

    def open_address(
        self, address: Address, config: bytes | None = None, *, run_folder: str = ""
    ) -> Remote:
        """Open the remote at an address, with this machine's settings for it.

        Args:
            address: The address.
            config: A ``.dvc/config`` on the branch that names it, None for the branch's own.
            run_folder: As for ``open``.
        """
        if address.url == str(self.default):
            return Remote.local(self.default)
        return Remote.open(
            address,
            trust=self.trust,
            settings=lambda: self.settings(address, config),
            keeper=lambda: self.who_logged(run_folder, config),
            current=self._is_current(address, config),
        )

    def settings(self, address: Address, config: bytes | None = None) -> dict[str, Any]:
        """Return this machine's settings for an address; arguments as for ``open_address``.

        Raises:
            InvalidInput: DVC's files on this machine cannot be parsed.
        """
        return machine_settings(self._git, address, current=self._is_current(address, config))

    def _pushed(self) -> bytes:
        return self._branch.read(".dvc/config") or b""

    def _is_current(self, address: Address, config: bytes | None) -> bool:
        """Return True if the branch names an address, or none while it is being added."""
        return address.url == self.url() or (not config and self.is_default())

    def _origin(self) -> str:
        """Say who set the branch's remote, and when."""
        author = self._log("%an <%ae> on %as", "--", ".dvc/config")
        return f"set by {author}" if author else ""

    def who_logged(self, run_folder: str, config: bytes | None = None) -> str:
        """Return who logged the files of a run, or of the newest run with this configuration."""
        if run_folder:
            return self._log("%an <%ae>", "--", f"{run_folder}/artifacts.json")
        if config:
            blob = self._git.run("hash-object", "--stdin", stdin=config).decode().strip()
            return self._log("%an <%ae>", f"--find-object={blob}")
        return ""

    def _log(self, fields: str, *chosen: str) -> str:
        """Return fields of the branch's newest commit that git's options choose."""
        tip = self._branch.tip()
        if tip is None:
            return ""
        line = self._git.run("log", "-1", "--no-show-signature", f"--format={fields}", tip, *chosen)
        return line.decode(errors="replace").strip()
