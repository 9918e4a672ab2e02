"""Several processes note at once which tags a remote has, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gitml.registry.rebase import _Shared

ADD = """
import sys
from pathlib import Path
from gitml.registry.rebase import _Shared
shared = _Shared(Path(sys.argv[1]))
for number in range(100):
    shared.add([f"{sys.argv[2]}{number}"])
"""


def test_ids_that_processes_add_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "sent" / "tags.json"
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD, str(path), letter]) for letter in "abc"
    ]

    assert [process.wait() for process in processes] == [0, 0, 0]

    assert _Shared(path).read() == {f"{letter}{n}" for letter in "abc" for n in range(100)}
