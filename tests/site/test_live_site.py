"""``make site``: the dashboard follows templates and Python, survives mistakes, ends at Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import gitml
from tests.live_site import ROOT

pytestmark = pytest.mark.slow

Server = tuple[subprocess.Popen[str], Path, Callable[[str], str]]


@pytest.fixture
def server(repository: Path, tmp_path: Path) -> Iterator[Server]:
    """The server of a copy of the source, the copy, and what gets a page."""
    with gitml.start_run(run_name="first"):
        gitml.log_metric("rmse", 1.0)
    source = tmp_path / "source"
    skip = shutil.ignore_patterns("__pycache__")
    for folder in ("gitml", "site_templates"):
        shutil.copytree(ROOT / folder, source / folder, ignore=skip)
    (source / "tests").mkdir()
    for name in ("__init__.py", "live_site.py"):
        shutil.copy(ROOT / "tests" / name, source / "tests" / name)
    environment = {**os.environ, "PYTHONPATH": str(source)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live_site", str(repository)],
        cwd=source, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        line_with(process.stdout, "files are new")
        url = process.stdout.readline().strip()

        def get(path: str) -> str:
            with urllib.request.urlopen(url + path, timeout=60) as answer:
                return str(answer.read().decode())

        yield process, source, get
    finally:
        process.kill()
        process.communicate(timeout=120)


def line_with(file: IO[str], text: str) -> str:
    """Read up to a line that has a text."""
    return next(line for line in file if text in line)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file as editors do, by another file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    aside = path.with_suffix(".new")
    aside.write_text(text.replace(old, new), encoding="utf-8")
    aside.replace(path)


def test_dashboard_follows_templates_styles_and_python(server: Server) -> None:
    process, source, get = server
    assert process.stdout
    first = get("generation.js")
    edit(source / "site_templates" / "404.html", "</h1>", " (edited template)</h1>")
    line_with(process.stdout, "files are new")
    assert "(edited template)" in get("404.html")
    edit(source / "gitml" / "version.py", gitml.__version__, "9.9.9")
    line_with(process.stdout, "files are new")
    assert "9.9.9" in get("index.html")
    assert get("generation.js") != first


def test_mistake_in_python_leaves_the_last_good_site(server: Server) -> None:
    process, source, get = server
    assert process.stdout and process.stderr
    before = get("index.html")
    edit(source / "gitml" / "version.py", gitml.__version__, '" + mistake')
    assert "mistake" in line_with(process.stderr, "mistake")
    assert get("index.html") == before
    edit(source / "gitml" / "version.py", '" + mistake', "9.9.9")
    line_with(process.stdout, "files are new")
    assert "9.9.9" in get("index.html")


def test_ctrl_c_ends_the_server(server: Server) -> None:
    process, _, _ = server
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
