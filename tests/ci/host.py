"""What GitHub's and GitLab's APIs answer, on a real server of this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "t0ken"
_Answer = tuple[int, Any]


@dataclass
class Host:
    """One repository of a forge, and what its API knows of it."""

    address: str = ""
    reviews: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    pull: dict[str, Any] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    merged: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    packages: dict[str, bytes] = field(default_factory=dict)
    releases: list[dict[str, list[str]]] = field(default_factory=list)
    readonly: bool = False
    requests: list[str] = field(default_factory=list)

    def review(self, who: str, state: str, commit: str, member: str = "MEMBER") -> None:
        """Let somebody review the pull request."""
        self.reviews.append({
            "user": {"login": who}, "state": state, "commit_id": commit,
            "author_association": member,
        })  # fmt: skip

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> _Answer:
        """Answer a request."""
        self.requests.append(f"{method} {path}")
        if self.readonly and method != "GET":
            return 403, {"message": "Resource not accessible by integration"}
        routes: list[tuple[str, str, Callable[..., _Answer]]] = [
            ("GET", r"/repos/team/prices/pulls/7", lambda: (200, self.pull)),
            ("GET", r"/repos/team/prices/pulls/7/reviews", lambda: (200, self.reviews)),
            ("GET", r"/repos/team/prices/pulls/7/commits", lambda: (200, self.commits)),
            ("GET", r"/repos/team/prices/commits/(\w+)/pulls", self._pulls),
            ("GET", r"/repos/team/prices/issues/7/comments", lambda: (200, self.comments)),
            ("POST", r"/repos/team/prices/issues/7/comments", self._commented),
            ("PATCH", r"/repos/team/prices/issues/comments/(\d+)", self._edited),
            ("GET", r"/user", lambda: (200, {"id": 5})),
            ("GET", r"/projects/42/merge_requests/7", lambda: (200, self.pull)),
            ("GET", r"/projects/42/merge_requests/7/commits", lambda: (200, self.commits)),
            ("GET", r"/projects/42/merge_requests/7/notes", lambda: (200, self.comments)),
            ("POST", r"/projects/42/merge_requests/7/notes", self._commented),
            ("PUT", r"/projects/42/merge_requests/7/notes/(\d+)", self._edited),
            ("GET", r"/projects/42/merge_requests/7/approvals", self._approvals),
            ("GET", r"/projects/42/repository/commits/(\w+)/merge_requests", self._pulls),
            ("PUT", r"/projects/42/packages/generic/(.+)", self._uploaded),
            ("POST", r"/projects/42/releases", self._released),
        ]
        for verb, pattern, act in routes:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                arguments = match.groups() if method == "GET" else (*match.groups(), body)
                status, value = act(*arguments)
                if isinstance(value, list) and method == "GET":
                    size, page = (int(query[key][0]) for key in ("per_page", "page"))
                    value = value[size * (page - 1) : size * page]
                return status, value
        return 404, {"message": "Not Found"}

    def _pulls(self, commit: str) -> _Answer:
        return 200, self.merged.get(commit, [])

    def _commented(self, body: bytes) -> _Answer:
        note = {
            "id": len(self.comments), "user": {"type": "Bot"}, "author": {"id": 5},
            **json.loads(body),
        }  # fmt: skip
        self.comments.append(note)
        return 201, note

    def _edited(self, number: str, body: bytes) -> _Answer:
        self.comments[int(number)].update(json.loads(body))
        return 200, self.comments[int(number)]

    def _approvals(self) -> _Answer:
        approved = [review for review in self.reviews if review["state"] == "APPROVED"]
        return 200, {
            "approved_by": [{"user": {"username": review["user"]["login"]}} for review in approved]
        }

    def _uploaded(self, path: str, body: bytes) -> _Answer:
        self.packages[path] = body
        return 201, {}

    def _released(self, body: bytes) -> _Answer:
        fields = parse_qs(body.decode())
        if any(release["tag_name"] == fields["tag_name"] for release in self.releases):
            return 409, {"message": "Release already exists"}
        self.releases.append(fields)
        return 201, {}


@contextmanager
def serving() -> Iterator[Host]:
    """Serve a host on a free port."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            parts = urlsplit(self.path)
            authorized = (
                self.headers.get("Authorization") == f"Bearer {TOKEN}"
                or TOKEN in (self.headers.get("PRIVATE-TOKEN"), self.headers.get("JOB-TOKEN"))
            )  # fmt: skip
            status, value = (401, {"message": "Bad credentials"})
            if authorized:
                query = parse_qs(parts.query)
                status, value = host.answer(self.command, parts.path, query, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = handle_any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join(120)
        server.server_close()
