"""A build that cannot have the files of runs says so once, on the first page, too."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitml.formats.dvc_config import dvc_config
from gitml.publishing.artifact_bytes import ArtifactBytes
from gitml.publishing.dashboard import build_site
from gitml.repository import Repository
from tests.cli.conftest import log_run

RUNS = 3


class Hangup(socketserver.BaseRequestHandler):
    """Counts who calls, and says nothing."""

    calls: list[object]

    def handle(self) -> None:
        self.calls.append(self.client_address)


@pytest.fixture
def calls() -> list[object]:
    """Who called the server that does not answer."""
    return []


@pytest.fixture
def unreachable(repository: Path, calls: list[object]) -> Iterator[Repository]:
    """A clone of runs whose files are on a server that does not answer."""
    run_ids = [log_run(repository, name=str(n)) for n in range(RUNS)]
    opened = Repository.open(repository)
    handler = type("Counted", (Hangup,), {"calls": calls})
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        config = dvc_config(f"ssh://ada@127.0.0.1:{server.server_address[1]}/store")
        folders = [f"runs/house/{run_id[:2]}/{run_id}/" for run_id in run_ids]
        names = [f"{folder}.dvc/config" for folder in ("", *folders)]
        opened.branch.update(lambda _: (dict.fromkeys(names, config), "another remote\n"))
        opened.remotes.trust.accept(opened.remotes.address())
        (opened.state / "cache").rename(opened.state / "lost")
        yield opened
        server.shutdown()
        thread.join(120)


@pytest.mark.slow
def test_absent_files_are_counted_and_the_remote_is_called_once(
    unreachable: Repository, calls: list[object], tmp_path: Path
) -> None:
    report = build_site(unreachable, tmp_path / "site")
    url = unreachable.remotes.url()
    expected = f"3 files of 3 runs could not be shown: The DVC remote '{url}' does not answer: "
    assert report.absent.startswith(expected)
    assert report.absent.count("does not answer") == 1
    home = (tmp_path / "site" / "index.html").read_text()
    assert "3 files of 3 runs could not be shown" in home
    assert len(calls) == 1


def test_processes_of_a_build_share_what_a_remote_answered(
    unreachable: Repository, calls: list[object], tmp_path: Path
) -> None:
    config = unreachable.branch.read(".dvc/config") or b""
    (run, *_) = unreachable.index().every_run()
    (artifact,) = unreachable.files(run.info.run_id).artifacts
    readers = [ArtifactBytes(unreachable, tmp_path) for _ in range(2)]
    assert [reader.read(artifact, config, 3) for reader in readers] == [None, None]
    assert readers[0].reason(config) == readers[1].reason(config)
    assert len(calls) == 1
