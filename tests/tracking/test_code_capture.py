"""What a run records of the code and the machine, and what it does not."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gitml
from gitml.entities import Dataset
from gitml.tracking import code_capture
from tests.conftest import LIMIT, git

SCRIPT = "import gitml, sys\nwith gitml.start_run():\n    gitml.log_metric('m', 1)\n"


def recorded(repository: Path) -> tuple[dict[str, Any], str]:
    """Read the newest run's record, and its patch, from the branch."""
    paths = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    records = [
        (json.loads(git(repository, "show", f"gitml/runs:{path}")), path)
        for path in paths if path.endswith("/run.json")
    ]  # fmt: skip
    record, path = max(records, key=lambda item: item[0]["start_time"])
    patch = path.replace("run.json", "source.patch")
    return record, git(repository, "show", f"gitml/runs:{patch}") if patch in paths else ""


def run(repository: Path, *arguments: str, script: Path | str = "train.py") -> None:
    subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=repository, env={**os.environ, "HOME": str(repository.parent)}, check=True,
        capture_output=True, timeout=LIMIT,
    )  # fmt: skip


@pytest.fixture
def committed(repository: Path) -> Path:
    """A repository whose script logs a run."""
    (repository / "train.py").write_text(SCRIPT)
    git(repository, "commit", "-q", "-a", "-m", "Log a run")
    return repository


def test_secrets_and_home_are_not_in_the_command(committed: Path) -> None:
    home = committed.parent
    run(
        committed, "--api-key=abc", "--password", "hunter2", f"--data={home}/data.csv",
        f"{committed}/conf.yaml", "--tokenizer", "bert", script=committed / "train.py",
    )  # fmt: skip

    source = recorded(committed)[0]["source"]

    assert source["command"][1:] == [
        "train.py", "--api-key=***", "--password", "***", "--data=~/data.csv", "conf.yaml",
        "--tokenizer", "bert",
    ]  # fmt: skip
    assert source["name"] == "train.py"
    assert str(home) not in json.dumps(recorded(committed)[0])


@pytest.mark.parametrize(
    ("setting", "command"), [("full", ["train.py", "--api-key=abc"]), ("none", None)]
)
def test_the_command_is_recorded_as_the_settings_ask(
    committed: Path, setting: str, command: list[str] | None
) -> None:
    (committed / "gitml.yaml").write_text(f"record: {{command: {setting}, environment: none}}\n")
    git(committed, "add", "gitml.yaml")
    git(committed, "commit", "-q", "-m", "Record less")
    run(committed, "--api-key=abc")

    source = recorded(committed)[0]["source"]

    assert source.get("command", [])[1:] == (command or [])
    files = git(committed, "ls-tree", "-r", "--name-only", "gitml/runs")
    assert "requirements.txt" not in files


def test_secrets_are_not_in_the_patch(committed: Path) -> None:
    (committed / "train.py").write_text(f"{SCRIPT}API_KEY = 'abc'\n")
    (committed / ".env").write_text("SECRET=abc\n")
    git(committed, "add", ".env")
    git(committed, "config", "diff.noprefix", "true")
    run(committed)

    record, patch = recorded(committed)

    assert "+API_KEY = '***'" in patch
    assert "SECRET" not in patch
    assert record["source"]["dirty"] is True
    assert {key: value for key, value in record["tags"].items() if "patch" in key} == {
        "gitml.patch_redacted_lines": "1",
        "gitml.patch_omitted_files": ".env",
    }
    git(committed, "reset", "-q", "--hard")
    (committed.parent / "patch").write_text(patch + "\n")
    git(committed, "apply", "--check", "../patch")


def test_no_patch_is_recorded_where_the_settings_forbid_it(committed: Path) -> None:
    (committed / "gitml.yaml").write_text("record: {patch: false}\n")
    git(committed, "add", "gitml.yaml")
    git(committed, "commit", "-q", "-m", "Record less")
    (committed / "train.py").write_text(f"{SCRIPT}# changed\n")
    run(committed)

    record, patch = recorded(committed)

    assert patch == ""
    assert record["source"]["dirty"] is True
    assert int(record["tags"]["gitml.patch_omitted_bytes"]) > 0


def test_a_wrong_setting_is_refused(repository: Path) -> None:
    (repository / "gitml.yaml").write_text("record: {command: redact}\n")

    with pytest.raises(gitml.GitmlError, match=r"record\.command.*redacted"):
        gitml.MlflowClient(repository)


def test_the_error_of_a_failed_run_holds_no_secret(tracked: Path) -> None:
    message = "no answer of https://ada:pw@host with password=hunter2"
    with pytest.raises(ValueError, match="hunter2"), gitml.start_run() as started:
        raise ValueError(message)

    assert gitml.get_run(started.info.run_id).data.tags["gitml.error"] == (
        "ValueError: no answer of https://***@host with password=***"
    )
    assert "hunter2" not in str(gitml.get_run(started.info.run_id).data.tags)


def test_the_address_of_a_dataset_holds_no_home_and_no_password(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tracked.parent))
    source = json.dumps({"uri": f"{tracked.parent}/a.csv", "database": "postgres://u:p@h/db"})
    with gitml.start_run() as started:
        gitml.log_input(Dataset(name="prices", digest="1", source=source))

    (logged,) = gitml.get_run(started.info.run_id).inputs.dataset_inputs
    assert json.loads(logged.source) == {
        "uri": "~/a.csv", "database": "postgres://***@h/db",
    }  # fmt: skip


def test_a_param_that_looks_like_a_secret_is_logged_and_warned_of(
    tracked: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with gitml.start_run() as started, caplog.at_level(logging.WARNING):
        gitml.log_param("api_key", "abc")
        gitml.log_params({"api_key": "abc", "max_tokens": 512, "hf_token": "abc"})

    assert gitml.get_run(started.info.run_id).data.params["api_key"] == "abc"
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "Param 'api_key' looks like a secret", "Param 'hf_token' looks like a secret",
    ]  # fmt: skip


def test_git_remotes_are_recorded_without_tokens(committed: Path) -> None:
    git(committed, "remote", "add", "origin", "ssh://git:pw@example.org/a.git")
    run(committed)

    assert recorded(committed)[0]["source"]["remote"] == "ssh://git@example.org/a.git"


def committed_files(repository: Path, **files: str) -> None:
    for name, content in files.items():
        (repository / f"{name}.py").write_text(content)
    git(repository, "add", "--all")
    git(repository, "commit", "-q", "-m", "Add modules")


def not_committed(repository: Path) -> tuple[bool, str | None, str]:
    """Read whether the newest run is dirty, which files are not committed, and its patch."""
    record, patch = recorded(repository)
    return record["source"]["dirty"], record["tags"].get("gitml.not_committed"), patch


def test_a_run_of_committed_files_is_clean(committed: Path) -> None:
    committed_files(committed, train=f"import helper\n{SCRIPT}", helper="")
    (committed / "notes.txt").write_text("not used\n")
    run(committed)

    assert not_committed(committed) == (False, None, "")


def test_a_module_that_git_does_not_track_is_not_clean_and_in_the_patch(committed: Path) -> None:
    committed_files(committed, train=f"import helper, package.part\n{SCRIPT}")
    (committed / "helper.py").write_text("FACTOR = 2\n")
    (committed / "package").mkdir()
    (committed / "package" / "part é.py").write_text("")
    (committed / "package" / "part.py").write_text("FACTOR = 3\n")
    (committed / ".git/info/exclude").write_text("package\n")
    run(committed)

    dirty, files, patch = not_committed(committed)

    assert (dirty, files) == (True, "helper.py, package/part.py")
    (committed / "helper.py").unlink()
    (committed / "package" / "part.py").unlink()
    (committed.parent / "patch").write_text(patch + "\n")
    git(committed, "apply", "../patch")
    assert (committed / "helper.py").read_text() == "FACTOR = 2\n"
    assert (committed / "package" / "part.py").read_text() == "FACTOR = 3\n"
    assert git(committed, "diff", "--cached", "--name-only") == ""


def test_a_module_that_is_imported_later_is_seen_when_the_run_ends(committed: Path) -> None:
    committed_files(
        committed, train="import gitml\nwith gitml.start_run():\n    import helper, committed\n",
        committed="",
    )  # fmt: skip
    (committed / "helper.py").write_text("TOKEN = 'abc'\n")
    run(committed)

    dirty, files, patch = not_committed(committed)

    assert (dirty, files) == (True, "helper.py")
    assert "+TOKEN = '***'" in patch


def test_a_file_that_the_command_names_is_seen(committed: Path) -> None:
    (committed / "conf.yaml").write_text("lr: 1\n")
    (committed / "data.csv").write_text("1\n")
    (committed / ".git/info/exclude").write_text("*.csv\n")
    run(committed, "--config=conf.yaml", "data.csv", "--out", "nowhere.txt")

    dirty, files, patch = not_committed(committed)

    assert (dirty, files) == (True, "conf.yaml")
    assert "+lr: 1" in patch


def test_a_file_that_is_too_large_for_the_patch_is_named(committed: Path) -> None:
    committed_files(committed, train=f"import helper\n{SCRIPT}")
    (committed / "helper.py").write_text("#" * 1_000_001)
    run(committed)

    assert not_committed(committed) == (True, "helper.py", "")
    assert recorded(committed)[0]["tags"]["gitml.patch_omitted_files"] == "helper.py"


def test_a_script_outside_the_repository_is_not_clean(committed: Path) -> None:
    script = committed.parent / "elsewhere.py"
    script.write_text(SCRIPT)
    run(committed, script=script)

    assert not_committed(committed) == (True, "~/elsewhere.py", "")


def test_files_that_are_installed_or_generated_do_not_count(committed: Path) -> None:
    committed_files(
        committed, train="import sys\nsys.path.insert(0, '.venv/lib/site-packages')\n"
        f"import library, _version\n{SCRIPT}",
    )  # fmt: skip
    library = committed / ".venv/lib/site-packages/library.py"
    library.parent.mkdir(parents=True)
    library.write_text("")
    (committed / "_version.py").write_text("")
    (committed / ".git/info/exclude").write_text("_version.py\n")
    run(committed)

    assert not_committed(committed) == (False, None, "")


def test_a_repository_without_a_commit_is_not_clean(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    (tmp_path / "empty" / "train.py").write_text(SCRIPT)
    run(tmp_path / "empty")

    assert recorded(tmp_path / "empty")[0]["source"]["dirty"] is True


@pytest.mark.slow
def test_a_gate_of_clean_source_names_the_file(committed: Path) -> None:
    committed_files(
        committed,
        train="import gitml, helper\n"
        "with gitml.start_run():\n"
        "    gitml.pyfunc.log_model('model', python_model=helper.predict)\n"
        "    gitml.register_model(f'runs:/{gitml.active_run().info.run_id}/model', 'Price')\n",
    )
    (committed / "helper.py").write_text("def predict(model_input):\n    return model_input\n")
    (committed / "registry").mkdir()
    (committed / "registry/Price.yaml").write_text(
        "model: Price\nstages: {Production: 1}\ngates: {Production: [source: clean]}\n"
    )
    run(committed)

    program = Path(sys.executable).with_name("gitml")
    done = subprocess.run(
        [program, "registry", "transition", "Price", "1", "Production"],
        cwd=committed, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip

    assert done.returncode == 4, done.stderr
    assert "not committed: helper.py" in done.stderr


def test_vanished_file_is_named_and_does_not_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("x = 1\n")

    assert code_capture._by_size(tmp_path, ["helper.py", "gone.py"]) == (["helper.py"], ["gone.py"])
