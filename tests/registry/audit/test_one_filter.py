"""Every reader of registry tags passes the filter: who reads or folds them is listed."""

from __future__ import annotations

import ast
from pathlib import Path

GITML = Path(__file__).parents[3] / "gitml"
_NOT_GIT = ("validation", "_sent", "_log", "output")
READERS = {
    "registry/models_reader.py": "hands them to the filter",
    "registry/verify.py": "hands them to the filter, and audits the others",
    "registry/rebase.py": "moves refs, hands those that state is made of to the filter",
    "registry/audit/earlier.py": "follows ids of tag objects",
    "registry/promotion/push_order.py": "sends refs",
    "store/exchange/exchange.py": "sends and fetches refs",
    "maintenance/needed.py": "keeps the files of every version, whatever it is",
    "maintenance/fsck.py": "checks version commits",
}
FOLDERS = {
    "registry/models_reader.py": "of accepted tags",
    "registry/models_view.py": "of accepted tags",
    "registry/verify.py": "of accepted tags",
    "registry/rebase_rules.py": "of accepted tags",
}


def modules_that_call(name: str) -> set[str]:
    """Return modules of gitml that call a method or function of a name with tags."""
    modules = set()
    for path in GITML.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            called = getattr(function, "attr", getattr(function, "id", ""))
            if called == name and owner.rpartition(".")[2] not in _NOT_GIT:
                modules.add(str(path.relative_to(GITML)))
    return modules


def test_only_these_modules_read_tags() -> None:
    assert modules_that_call("tags") == {*READERS}


def test_only_these_modules_make_state_of_tags() -> None:
    folding = modules_that_call("fold") & {
        str(path.relative_to(GITML)) for path in (GITML / "registry").glob("**/*.py")
    }
    assert folding == {*FOLDERS}
