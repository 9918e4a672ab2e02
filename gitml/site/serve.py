"""Serve a site over HTTP on this machine."""

from __future__ import annotations

import signal
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gitml.errors import GitmlError, NotFound
from gitml.signals import interruptible

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})


LIVE_SECONDS = 2.0
_PAUSE_FACTOR = 5  # pause after a refresh, in times of its length: a fifth of one core at most


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    generation = ""

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, (bytes, bytearray)) else host
        return f"http://{'127.0.0.1' if name in _EVERYWHERE else name}:{port}/"


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, to requests that name this machine.

    A page elsewhere can point a name of its own at 127.0.0.1 and read what is served there; it
    cannot choose the Host header, so that is checked.
    """

    server_version = "gitml"
    sys_version = ""
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):  # the browser went to another page meanwhile
            super().handle()

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        # Its times have whole seconds, and within one a site may be built twice.
        del self.headers["If-Modified-Since"]
        if self.server.generation and self.path.partition("?")[0] == "/generation.js":
            self._send_generation()
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if self._is_for_us():
            super().do_HEAD()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Frame-Options", "SAMEORIGIN")
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            super().send_error(code, message, explain)
            return
        data = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _send_generation(self) -> None:
        data = f'gitml.generation("{self.server.generation}");\n'.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/javascript; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def list_directory(self, path: object) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def guess_type(self, path: object) -> str:
        kind = str(super().guess_type(str(path)))
        text = kind.startswith("text/") or kind == "application/javascript"
        return f"{kind}; charset=utf-8" if text else kind

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests are many and small."""

    def _is_for_us(self) -> bool:
        bound = str(self.server.server_address[0])
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if bound in _EVERYWHERE or name in _LOOPBACK or name == bound:
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server answers to localhost only")
        return False


def server(folder: Path, port: int = 0, host: str = "127.0.0.1") -> _Server:
    """Return a server of a site that is not started yet; ``url`` is its address.

    Raises:
        NotFound: There is no site in the folder.
        GitmlError: The port is not available.
    """
    if not (folder / "index.html").is_file():
        raise NotFound(f"There is no site in {folder}.", hint="Run `gitml site build` first.")
    handler = partial(_Handler, directory=str(folder))
    try:
        return _Server((host, port), handler)
    except OSError as error:
        raise GitmlError(
            f"Cannot use port {port} on {host}: {error.strerror}.",
            hint="Choose another with --port, or 0 for any.",
        ) from error


def serve(
    folder: Path,
    port: int = 0,
    host: str = "127.0.0.1",
    open_browser: bool = False,
    *,
    announce: Callable[[str], object] = print,
) -> str:
    """Serve a site until Ctrl-C and return the address it had.

    Args:
        folder: The site.
        port: 0 for any free one.
        host: Address to listen on.
        open_browser: Whether to open the site in the user's browser.
        announce: Called once with the address, when the server listens.

    Raises:
        NotFound: There is no site in the folder.
        GitmlError: The port is not available.
    """
    with interruptible(signal.SIGINT), server(folder, port, host) as listening:
        try:
            announce(listening.url)
            if open_browser:
                webbrowser.open(listening.url)
            listening.serve_forever()
        except KeyboardInterrupt:
            return listening.url
    return listening.url


def serve_live(
    folder: Path,
    refresh: Callable[[], bool],
    port: int = 0,
    host: str = "127.0.0.1",
    open_browser: bool = False,
    *,
    interval: float = LIVE_SECONDS,
    rest: float = _PAUSE_FACTOR,
    announce: Callable[[str], object] = print,
) -> str:
    """Serve a site that changes until Ctrl-C and return the address it had.

    Pages of a site built with :attr:`SiteOptions.live` ask for ``generation.js`` and
    reload when its answer changes.

    Args:
        folder: The site.
        refresh: Called every few seconds; updates the site and returns True if it changed.
        port: 0 for any free one.
        host: Address to listen on.
        open_browser: Whether to open the site in the user's browser.
        interval: Shortest time from one refresh to the next, in s.
        rest: Shortest time from one refresh to the next, as a multiple of what it took.
        announce: Called once with the address, when the server listens.

    Raises:
        NotFound: There is no site in the folder.
        GitmlError: The port is not available.
    """
    started, count, wait = time.time_ns(), 0, interval
    with interruptible(signal.SIGINT), server(folder, port, host) as listening:
        listening.generation = f"{started}.{count}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            announce(listening.url)
            if open_browser:
                webbrowser.open(listening.url)
            while True:
                threading.Event().wait(wait)
                before = time.monotonic()
                if refresh():
                    count += 1
                    listening.generation = f"{started}.{count}"
                wait = max(interval, rest * (time.monotonic() - before))
        except KeyboardInterrupt:
            return listening.url
        finally:
            listening.shutdown()
            thread.join()
