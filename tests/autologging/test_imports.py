from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitml.autologging.imports import forget, when_imported


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "watched_by_this_test.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "watched_by_this_test"
    forget("watched_by_this_test")
    sys.modules.pop("watched_by_this_test", None)


def test_the_action_runs_after_the_import_and_once(module: str) -> None:
    seen: list[int] = []
    finders = list(sys.meta_path)
    when_imported(module, lambda: seen.append(sys.modules[module].value))
    assert seen == []
    loaded = importlib.import_module(module)
    assert seen == [1]
    assert sys.meta_path == finders
    assert inspect.getsource(loaded) == "value = 1\n"
    assert loaded.__spec__ is not None
    assert "gitml" not in type(loaded.__spec__.loader).__module__
    importlib.reload(loaded)
    assert seen == [1]


def test_action_runs_immediately_if_the_module_is_imported(module: str) -> None:
    importlib.import_module(module)
    seen: list[str] = []
    when_imported(module, lambda: seen.append("now"))
    assert seen == ["now"]


def test_a_forgotten_action_does_not_run(module: str) -> None:
    seen: list[str] = []
    when_imported(module, lambda: seen.append("later"))
    forget(module)
    importlib.import_module(module)
    assert seen == []


def test_asking_again_replaces_the_action(module: str) -> None:
    seen: list[str] = []
    when_imported(module, lambda: seen.append("first"))
    when_imported(module, lambda: seen.append("second"))
    importlib.import_module(module)
    assert seen == ["second"]


def test_asking_whether_a_module_exists_is_not_importing_it(module: str) -> None:
    seen: list[str] = []
    when_imported(module, lambda: seen.append("imported"))
    assert importlib.util.find_spec(module) is not None
    assert seen == []
    importlib.import_module(module)
    assert seen == ["imported"]


def test_a_module_that_does_not_exist_stays_an_import_error() -> None:
    when_imported("no_such_module_here", lambda: None)
    try:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("no_such_module_here")
    finally:
        forget("no_such_module_here")
