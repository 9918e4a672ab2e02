"""Mutation testing of the pure modules: each by its own tests, with mutmut.

``python -m tests.mutants [NAME …]`` prints killed and counted mutants of every module whose path
contains a NAME, and leaves the survivors as diffs in ``.mutants/``. A mutant that behaves like the
original is listed in ``equivalent_mutants.toml`` with the reason, and does not count.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".mutants"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
REQUIRED = 0.92  # share of mutants that the tests must kill
SURVIVED, UNTESTED = 0, 33  # mutmut's exit codes; every other one is a kill or a timeout

MODULES = {
    "registry/gates/approvals": "registry/gates/test_approvals.py",
    "registry/tags/plan": "registry/tags/test_plan.py",
    "registry/tags/model_state": "registry/tags/test_model_state.py",
    "registry/audit/chain": "registry/audit/test_chain.py",
    "registry/audit/gate_replay": "registry/audit/test_chain.py",
    "query/gates": "query/test_gates.py",
    "query/gate_parser": "query/test_gates.py",
    "query/filter_parser": "query/test_filters.py",
    "query/filters": "query/test_filters.py",
    "models/enforcement": "models/test_enforcement.py",
    "formats/joins": "formats/test_joins.py",
    "store/exchange/tree_merge": "store/exchange/test_tree_merge.py",
}
"""Module below gitml/ and its tests below tests/."""

CONFIGURATION = """
[tool.mutmut]
source_paths = ["gitml"]
only_mutate = ["gitml/{module}.py"]
pytest_add_cli_args = ["--hypothesis-profile", "mutants", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests/{tests}"]
use_git_change_detection = false
timeout_multiplier = 3.0
timeout_constant = 20.0
"""


PROGRAM = "import sys; sys.setrecursionlimit(10_000); from mutmut.__main__ import cli; cli()"
"""mutmut puts three frames around each call, too much for parsers at their deepest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed function.

    Args:
        name: What mutmut calls it.
        killed: Whether a test failed.
        removed, added: The lines that differ.
    """

    name: str
    killed: bool
    removed: tuple[str, ...]
    added: tuple[str, ...]


def run(module: str, tests: str) -> list[Mutant]:
    """Run mutmut on one module in a copy of the project and return what became of each mutant."""
    folder = WORK / module.replace("/", ".")
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("gitml", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    configuration = CONFIGURATION.format(module=module, tests=tests)
    (folder / "pyproject.toml").write_text(project + configuration, encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, "run", "--max-children", "1"]
    with (folder / "mutmut.log").open("wb") as log:
        environment = {**os.environ, "PYTHONPATH": ""}
        process = subprocess.run(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    if process.returncode:
        sys.exit(f"mutmut failed on {module}; do its tests pass? See {log.name}")
    mutated = folder / "mutants" / "gitml" / f"{module}.py"
    codes = json.loads(mutated.with_suffix(".py.meta").read_text())["exit_code_by_key"]
    return list(_mutants(mutated.read_text(encoding="utf-8"), codes))


def _mutants(source: str, codes: dict[str, int]) -> Iterator[Mutant]:
    """Read the changed functions of a module that mutmut wrote."""
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name, code in codes.items():
        function = name.rsplit(".", 1)[1]
        original = functions[re.sub(r"__mutmut_\d+$", "__mutmut_orig", function)]
        lines = [
            line
            for line in difflib.ndiff(_lines(original), _lines(functions[function]))
            if line[0] in "+-"
        ]
        yield Mutant(
            name=function,
            killed=code not in (SURVIVED, UNTESTED),
            removed=tuple(line[2:].strip() for line in lines if line[0] == "-"),
            added=tuple(line[2:].strip() for line in lines if line[0] == "+"),
        )


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the lines of a function without its name, which mutmut changes."""
    return ast.unparse(function).replace(function.name, "function", 1).splitlines()


def equivalent() -> dict[str, dict[str, str]]:
    """Read the mutants that no test can kill: module, then added line, then reason."""
    entries: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return entries


def main(names: list[str]) -> int:
    """Print the table; return 1 if a module is below what is required."""
    excluded, failed = equivalent(), False
    for module, tests in MODULES.items():
        if names and not any(name in module for name in names):
            continue
        mutants = run(module, tests)
        lines = excluded.get(module, {})
        counted = [m for m in mutants if m.killed or not lines.keys() & set(m.added)]
        survivors = [m for m in counted if not m.killed]
        report = "\n".join(
            "\n".join([m.name, *("- " + x for x in m.removed), *("+ " + x for x in m.added), ""])
            for m in survivors
        )
        (WORK / f"{module.replace('/', '.')}.txt").write_text(report, encoding="utf-8")
        killed = len(counted) - len(survivors)
        share = killed / len(counted)
        failed |= share < REQUIRED
        print(f"{module:28} {killed:4}/{len(counted):<4} {share:6.1%}"
              f"  {len(mutants) - len(counted)} equivalent", flush=True)  # fmt: skip
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
