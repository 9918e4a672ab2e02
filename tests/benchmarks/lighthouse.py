"""Lighthouse over the dashboard; run by hand: make lighthouse OPTIONS=10000.

Builds a site of that many runs, serves it with gzip as a forge's pages do, and prints the scores of
each type of page, and what kept a page from 100, to stderr and as JSON to stdout.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.benchmarks.dashboard import built, clone
from tests.browsers import chromium_path

PROGRAM = Path(__file__).parents[2] / ".lighthouse" / "node_modules" / ".bin" / "lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices")


class _Zipped(SimpleHTTPRequestHandler):
    """Files of a folder, packed: without that, Lighthouse measures the server."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        data = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", f"{self.guess_type(str(path))}; charset=utf-8")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def audit(address: str) -> dict[str, object]:
    """Let Lighthouse look at a page as on a desktop computer."""
    done = subprocess.run(
        [
            str(PROGRAM), address, "--preset=desktop", "--output=json", "--quiet",
            f"--only-categories={','.join(CATEGORIES)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads(done.stdout)
    audits = report["audits"]
    scores = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
    audited = {
        ref["id"]
        for name in CATEGORIES[1:]
        for ref in report["categories"][name]["auditRefs"]
        if ref["weight"]
    }
    failed = [key for key in sorted(audited) if audits[key]["score"] not in (None, 1)]
    times = {
        short: round(audits[key]["numericValue"], 3)
        for short, key in (
            ("lcp_ms", "largest-contentful-paint"),
            ("tbt_ms", "total-blocking-time"),
            ("cls", "cumulative-layout-shift"),
        )
    }
    return {**scores, **times, "failed": failed}


def main(count: int) -> None:
    """Audit one page of each type."""
    if not PROGRAM.exists():
        raise SystemExit("Lighthouse is not installed: run `make lighthouse`.")
    path = chromium_path()
    if path is None:
        raise SystemExit("There is no Chromium: set GITML_CHROMIUM.")
    os.environ.setdefault("CHROME_PATH", path)
    with tempfile.TemporaryDirectory() as temporary:
        repository = clone(Path(temporary), count)
        built(repository)
        folder = repository / "_site"
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Zipped, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pages = ["index.html", *(_first(folder, kind) for kind in ("experiments", "runs"))]
        ids = ",".join(path.stem for path in sorted((folder / "runs").iterdir())[:3])
        pages.append(f"compare.html#{ids}")
        base = f"http://127.0.0.1:{server.server_port}/"
        results = {page: audit(base + page) for page in pages}
        server.shutdown()
        server.server_close()
    for page, scores in results.items():
        print(f"{page[:44]:44} {scores}", file=sys.stderr)
    print(json.dumps({"runs": count, "pages": results}))


def _first(folder: Path, kind: str) -> str:
    return sorted((folder / kind).iterdir())[0].relative_to(folder).as_posix()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
