"""A git server over HTTP that asks for a password, on a free port of this machine."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from gitml import config


@contextmanager
def serving(folder: Path, user: str, password: str) -> Iterator[str]:
    """Serve the bare repositories of a folder to one user; gives the server's address."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            parts = urlsplit(self.path)
            done = subprocess.run(
                ["git", "http-backend"], input=body, capture_output=True, check=True,
                env=config.child_environment(
                    GIT_PROJECT_ROOT=str(folder), GIT_HTTP_EXPORT_ALL="1", PATH_INFO=parts.path,
                    QUERY_STRING=parts.query, REQUEST_METHOD=self.command, REMOTE_USER=user,
                    CONTENT_TYPE=self.headers.get("Content-Type", ""),
                    HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                    CONTENT_LENGTH=str(len(body)),
                ),
            )  # fmt: skip
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            status = next((value for name, value in headers if name == "Status"), "200")
            self.send_response(int(status.split()[0]))
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(120)
        server.server_close()
