"""The local server: this machine only, and nothing but the site."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gitml.errors import GitmlError, NotFound
from gitml.site.serve import serve, server
from tests.conftest import LIMIT, ended


def ask(url: str, path: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    response = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return response


def test_pages_are_served_with_safe_headers(http: str, site: Path) -> None:
    status, headers, body = ask(http, "/")
    assert (status, body) == (200, (site / "index.html").read_bytes())
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"


def test_what_is_missing_gets_the_sites_own_page(http: str, site: Path) -> None:
    for path in ("/runs/nothing.html", "/static/", "/../../etc/passwd"):
        status, _, body = ask(http, path)
        assert (status, body) == (404, (site / "404.html").read_bytes())


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example.org:80", 421)],
)
def test_requests_that_name_another_host_are_refused(http: str, host: str, status: int) -> None:
    assert ask(http, "/", host)[0] == status


def test_server_rejects_folders_without_a_site_and_ports_in_use(site: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no site in"):
        serve(tmp_path)
    with (
        server(site) as first,
        pytest.raises(GitmlError, match="Cannot use port"),
        server(site, port=first.server_address[1]),
    ):
        pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -15)])
def test_serve_ends_by_signal_where_a_shell_ignores_sigint(
    site: Path, number: int, code: int
) -> None:
    script = f"from pathlib import Path; from gitml.site import serve; serve(Path({str(site)!r}))"
    background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    server = subprocess.Popen(
        [*background, sys.executable, "-uc", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with ended(server) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert ask(url, "/")[0] == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT)
    assert (process.returncode, errors) == (code, "")


def test_a_browser_that_went_away_is_no_trouble(site: Path) -> None:
    vega = next((site / "static").glob("vega.*.js"))
    local, remote = socket.socketpair()
    remote.sendall(f"GET /static/{vega.name} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    remote.close()
    with server(site) as listening, local:
        listening.finish_request(local, ("127.0.0.1", 0))
