"""Notes about tags survive several processes that write them at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gitml.registry.tag_notes import NewestTags, SentTags
from gitml.registry.tags.detail import TagLink

ADD = """
import sys
from pathlib import Path
from gitml.registry.tag_notes import SentTags
sent = SentTags(Path(sys.argv[1]))
for number in range(100):
    sent.add([f"{sys.argv[2]}{number}"])
"""


def test_ids_that_processes_add_concurrently_are_all_noted(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), letter]) for letter in "abc"
    ]

    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]

    assert SentTags(tmp_path).read() == {f"{letter}{n}" for letter in "abc" for n in range(100)}


def test_notes_that_cannot_be_parsed_read_as_missing(tmp_path: Path) -> None:
    newest, sent = NewestTags(tmp_path), SentTags(tmp_path)
    newest.note("m", TagLink(tag="m@v1.0.0", oid="a" * 40))
    sent.add(["a"])
    (tmp_path / "registry" / "n.json").write_text("{")
    (tmp_path / "sent" / "tags.json").write_text('{"tags": 5}')

    assert newest.read() == [TagLink(tag="m@v1.0.0", oid="a" * 40)]
    assert sent.read() == set()

    newest.forget("m")
    assert newest.read() == []
