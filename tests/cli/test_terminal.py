"""What stands on a terminal of 80 columns."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

import gitml
from tests.cli.conftest import PROGRAM, shell
from tests.conftest import ended


def on_terminal(folder: Path, *args: str, columns: int = 80) -> list[str]:
    """Run gitml on a terminal and give its lines without colours."""
    terminal, end = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen(
        [*PROGRAM, *args], cwd=folder, env=environment, stdin=end, stdout=end, stderr=end
    )
    with ended(process):
        os.close(end)
        printed = b""
        while part := _read(terminal):
            printed += part
        assert process.wait(timeout=60) == 0, printed.decode()
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).replace("\r", "").splitlines()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that nobody is at the other end any more
        return b""


def log(name: str, metrics: dict[str, float], **params: str) -> str:
    gitml.set_experiment("price_optimization_2024")
    with gitml.start_run(run_name=name) as run:
        gitml.log_metrics(metrics)
        gitml.log_params(params)
    return run.info.run_id


@pytest.mark.slow
def test_runs_list_keeps_names_and_metrics_on_80_columns(tracked: Path) -> None:
    metrics = {"rmse": 56.393, "mae": 41.2, "r2": 0.91, "system/cpu": 12.0}
    ids = [log(f"gradient-boosting-{k}", metrics) for k in range(2)]
    lines = on_terminal(tracked, "runs", "list")
    assert all(len(line) <= 80 for line in lines)
    heading = lines[0].split()
    assert heading == ["RUN", "NAME", "STATUS", "STARTED", "METRICS"]
    for line, number in zip(lines[1:3], (1, 0), strict=True):
        assert f"gradient-boosting-{number} " in line and "FINISHED" in line
        assert line.startswith(ids[number][:8])
        assert "mae=41.2 r2=0.91" in line
    assert lines[3] == "Left out of 80 columns: TOOK, EXPERIMENT."
    wide = on_terminal(tracked, "runs", "list", columns=200)
    assert wide[0].split() == [
        "RUN", "NAME", "EXPERIMENT", "STATUS", "STARTED", "TOOK", "METRICS"
    ]  # fmt: skip
    assert wide[1].rstrip().endswith("mae=41.2 r2=0.91 rmse=56.393 system/cpu=12")


def test_a_long_name_takes_no_room_from_other_columns(tracked: Path) -> None:
    log("x" * 300, {"rmse": 1.0})
    log("short", {"rmse": 2.0})
    lines = on_terminal(tracked, "runs", "list")
    assert all(len(line) <= 80 for line in lines)
    assert "FINISHED" in lines[2] and lines[2].rstrip().endswith("rmse=1") and "xxx…" in lines[2]


@pytest.mark.slow
def test_values_that_differ_look_different_on_a_terminal(tracked: Path) -> None:
    ids = [log(f"run-{k}", {"auc": v}) for k, v in enumerate([0.99999, 0.999991])]
    (line,) = [x for x in on_terminal(tracked, "runs", "compare", *ids) if " auc " in x]
    assert line.split() == ["metrics", "auc", "0.99999", "0.999991"]
    lines = on_terminal(tracked, "runs", "list")
    assert [line.rsplit("  ", 1)[1].strip() for line in lines[1:3]] == [
        "auc=0.999991", "auc=0.99999"
    ]  # fmt: skip
    lines = on_terminal(tracked, "runs", "list", "--columns", "run_name,metrics.auc")
    assert [line.split() for line in lines[1:3]] == [["run-1", "0.999991"], ["run-0", "0.99999"]]
    gitml.MlflowClient(tracked).log_metric(ids[0], "auc", 0.5, step=1)
    lines = on_terminal(tracked, "metrics", "history", ids[0], "auc")
    assert [line.split()[-1] for line in lines[1:]] == ["0.99999", "0.5"]


@pytest.mark.slow
def test_show_says_why_a_run_failed(tracked: Path) -> None:
    script = tracked / "train.py"
    script.write_text(
        "import json, gitml\n"
        "def load(text):\n"
        "    return json.loads(text)\n"
        "with gitml.start_run(run_name='bad'):\n"
        "    api_key = 'x'\n"
        "    load('{')\n"
    )
    done = subprocess.run(
        [PROGRAM[0], script], cwd=tracked, capture_output=True, text=True, timeout=60
    )
    assert "JSONDecodeError" in done.stderr
    lines = on_terminal(tracked, "runs", "show", "bad", columns=120)
    start = lines.index("Why it failed")
    message = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    error = f"JSONDecodeError: {message}"
    assert lines[start + 1 : start + 4] == [
        f"  {error}",
        "  at train.py:3 in load: return json.loads(text)",
        "",
    ]
    report = "\n".join(lines[start:])
    assert '    File "train.py", line 6, in <module>' in report
    assert '    File "…/json/decoder.py", line' in report
    assert str(tracked) not in report and str(Path.home()) not in report
    document = json.loads(shell("runs", "show", "bad", "--json", cwd=tracked).stdout)
    assert document["tags"]["gitml.error"] == error


@pytest.mark.parametrize("lines", [True, False], ids=["patch", "no patch"])
@pytest.mark.slow
def test_a_run_left_open_records_its_traceback(tracked: Path, lines: bool) -> None:
    (tracked / "gitml.yaml").write_text(f"record: {{patch: {str(lines).lower()}}}\n")
    script = tracked / "train.py"
    script.write_text(
        "import gitml\ngitml.start_run(run_name='open')\nraise ValueError('no data')\n"
    )
    subprocess.run([PROGRAM[0], script], cwd=tracked, capture_output=True, timeout=60)
    trace = "\n".join(on_terminal(tracked, "runs", "show", "open"))
    where = "at train.py:3 in <module>" + (": raise ValueError('no data')" if lines else "")
    assert f"  ValueError: no data\n  {where}\n" in trace
    assert ("    raise ValueError" in trace) is lines
