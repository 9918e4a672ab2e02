"""Real servers on this machine that DVC can use as remotes: S3, SSH and HTTP, each on a free port.

S3 is moto's server; SSH is the system's own sshd, which is started for each connection and runs as
the present user with keys of its own; HTTP keeps what is posted, and can neither list nor remove.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REMOTE = "gitml"
KINDS = ("folder", "s3", "ssh", "http")
_SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that stores artifacts.

    Attributes:
        kind: One of `KINDS`.
        url: Address that a remote's own folder is appended to.
        settings: What DVC needs beside the address, from this machine's own settings.
        stored: What the HTTP server keeps, by path.
    """

    kind: str
    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)

    def configure(self, file: Path) -> None:
        """Write the settings to a configuration file of DVC, such as this user's global one."""
        lines = [f"    {key} = {value}\n" for key, value in self.settings.items()]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"['remote \"{REMOTE}\"']\n{''.join(lines)}" if lines else "")


def start(kind: str, folder: Path) -> AbstractContextManager[Server]:
    """Start a server of a kind while the context lasts.

    Args:
        kind: One of `KINDS`.
        folder: For its files; empty.
    """
    if kind == "folder":
        return nullcontext(Server(kind=kind, url=str(folder)))
    if kind == "ssh":
        return ssh_server(folder)
    return s3_server() if kind == "s3" else http_server()


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    """Run a server in a thread while the context lasts; gives its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join(120)
        server.server_close()


# S3 -----------------------------------------------------------------------------------------------


@contextmanager
def s3_server() -> Iterator[Server]:
    """An S3 with one bucket, which takes any key."""
    import boto3
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    with _serving(server) as port:
        settings = {
            "endpointurl": f"http://127.0.0.1:{port}",
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": "secret",
            "region": "eu-central-1",
        }
        client = boto3.client(
            "s3",
            endpoint_url=settings["endpointurl"],
            aws_access_key_id=settings["access_key_id"],
            aws_secret_access_key=settings["secret_access_key"],
            region_name=settings["region"],
        )
        region = {"LocationConstraint": settings["region"]}
        client.create_bucket(Bucket="team", CreateBucketConfiguration=region)
        client.close()
        yield Server(kind="s3", url="s3://team", settings=settings)


# SSH ----------------------------------------------------------------------------------------------

_SSHD_CONFIG = """\
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
LogLevel ERROR
Subsystem sftp internal-sftp
"""


class _Connection(socketserver.BaseRequestHandler):
    """One connection, served by a process of sshd."""

    config: Path

    def handle(self) -> None:
        assert _SSHD
        command = [_SSHD, "-i", "-e", "-f", str(self.config)]
        descriptor = self.request.fileno()
        with (self.config.with_name("log")).open("ab") as log:
            subprocess.run(command, stdin=descriptor, stdout=descriptor, stderr=log, check=False)


class _Connections(socketserver.ThreadingTCPServer):
    block_on_close = False  # a client may keep its connection until the interpreter ends
    daemon_threads = True


@contextmanager
def ssh_server(folder: Path) -> Iterator[Server]:
    """An sshd for this user, with files below a folder.

    Args:
        folder: Where its keys and files go.
    """
    assert _SSHD, "Install sshd (openssh-server), or run .ci/servers."
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it there as root
    (folder / "files").mkdir(parents=True)
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    config = folder / "config"
    config.write_text(_SSHD_CONFIG.format(folder=folder))
    handler = type("Configured", (_Connection,), {"config": config})
    with _serving(_Connections(("127.0.0.1", 0), handler)) as port:
        yield Server(
            kind="ssh",
            url=f"ssh://{getpass.getuser()}@127.0.0.1:{port}{folder}/files",
            settings={"keyfile": str(folder / "user")},
        )


# HTTP ---------------------------------------------------------------------------------------------


class _Uploads(BaseHTTPRequestHandler):
    """Keeps what is posted or put in a dict, as a web server with uploads would."""

    stored: dict[str, bytes]

    def do_GET(self) -> None:
        content = self.stored.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        self.stored[self.path] = (
            self.chunks() if chunked else self.rfile.read(int(self.headers["Content-Length"]))
        )
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def http_server() -> Iterator[Server]:
    """A web server that takes uploads and forgets nothing."""
    stored: dict[str, bytes] = {}
    handler = type("Kept", (_Uploads,), {"stored": stored})
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield Server(kind="http", url=f"http://127.0.0.1:{port}", stored=stored)
