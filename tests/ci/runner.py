"""Runs the shell steps of written jobs with bash in a fresh clone, as a runner does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import git

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("Publish the release", "Start the dashboard's workflow")
"""Steps that talk to GitHub alone: they are linted, not run."""


@dataclass
class Done:
    """What a job did.

    Attributes:
        code: Exit code of the step that ended it, 0 where all went well.
        log: Everything that was printed.
        outputs: Outputs of the steps, as ``<step id>.<name>``.
        folder: The job's clone.
        skipped: Names of the steps that need GitHub.
    """

    code: int
    log: str
    folder: Path
    outputs: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a job's processes see: nothing of ours but where gitml is; pip asks nobody."""
    inherited = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    dvc = {key: value for key, value in os.environ.items() if key.startswith("DVC_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **inherited, **dvc, "PATH": path, "PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CONFIG_NOSYSTEM": "1", "CI": "true", "RUNNER_TEMP": str(home), **more,
    }  # fmt: skip


def bash(script: str, folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as a runner does; returns exit code and output."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder, env=dict(env), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout


@cache
def install(script: str, package: str) -> tuple[int, str]:
    """Install gitml as a job does; once, for all jobs share this environment."""
    return bash(script, ROOT, environment(ROOT, GITML_SPEC=package))


def checkout(remote: Path, folder: Path, ref: str) -> None:
    """Make the clone that a job begins with: detached or on a branch, without an identity."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "nothing")
    git(folder, "remote", "add", "origin", f"file://{remote}")
    git(folder, "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*", f"+{ref}:refs/remotes/origin/checked-out")  # fmt: skip
    commit = git(folder, "rev-parse", "refs/remotes/origin/checked-out")
    git(folder, "update-ref", "-d", "refs/remotes/origin/checked-out")
    if ref.startswith("refs/heads/"):
        git(folder, "checkout", "-q", "-B", ref.removeprefix("refs/heads/"), commit)
    else:
        git(folder, "checkout", "-q", "--detach", commit)


def github_job(
    workflow: Path,
    name: str,
    remote: Path,
    folder: Path,
    *,
    ref: str,
    values: Mapping[str, str],
    env: Mapping[str, str],
) -> Done:
    """Run a job of a GitHub workflow.

    Args:
        workflow: The file.
        name: The job.
        remote: The bare repository.
        folder: Where the job's clone goes.
        ref: What the event checks out where the job does not say.
        values: What each ``${{ … }}`` of the steps' ``env`` stands for.
        env: The runner's own variables.
    """
    definition = yaml.safe_load(workflow.read_text())
    scratch = folder.with_name(f"{folder.name}-runner")
    scratch.mkdir()
    output, summary = scratch / "output", scratch / "summary.md"
    base = environment(scratch, GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(output),
                       GITHUB_STEP_SUMMARY=str(summary), **env)  # fmt: skip
    done = Done(code=0, log="", folder=folder)
    for step in definition["jobs"][name]["steps"]:
        expressions = {**values, **{f"steps.{k}": v for k, v in done.outputs.items()}}
        if not _holds(step.get("if", "true"), expressions):
            continue
        if step.get("uses", "").startswith("actions/checkout@"):
            own = step.get("with", {}).get("ref")
            checkout(remote, folder, f"refs/heads/{own}" if own else ref)
        elif step.get("name") in ELSEWHERE:
            done.skipped.append(step["name"])
        elif "run" in step:
            output.write_text("")
            variables = {**definition.get("env", {}), **step.get("env", {})}
            filled = {key: _filled(str(value), expressions) for key, value in variables.items()}
            assert "${{" not in step["run"], "names reach a shell only through env"
            if step["name"] == "Install gitml":
                done.code, text = install(step["run"], filled["GITML_SPEC"])
            else:
                done.code, text = bash(step["run"], folder, {**base, **filled})
            done.log += text
            for line in output.read_text().splitlines():
                key, _, value = line.partition("=")
                done.outputs[f"{step['id']}.outputs.{key}"] = value
            if done.code:
                return done
    return done


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: _value(match[1], values), text)


def _value(expression: str, values: Mapping[str, str]) -> str:
    """Evaluate names and texts joined by `||`; variables of the repository may be missing."""
    for term in expression.split(" || "):
        optional = term.startswith(("vars.", "secrets.", "steps.", "github.event."))
        value = term[1:-1] if term[0] == "'" else values.get(term, "") if optional else values[term]
        if value:
            return value
    return ""


def _holds(condition: str, values: Mapping[str, str]) -> bool:
    """Evaluate a step's condition: comparisons with texts, joined by `&&`."""
    terms = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ")
    for term in terms:
        if term in ("true", "!cancelled()"):
            continue
        name, operator, text = term.split(" ")
        if (_value(name, values) == text.strip("'")) != (operator == "=="):
            return False
    return True


def gitlab_job(config: Path, name: str, folder: Path, env: Mapping[str, str]) -> Done:
    """Run a job of a GitLab pipeline in a clone that is there already; see ``github_job``."""
    definition: dict[str, Any] = yaml.safe_load(config.read_text())
    job = _extended(definition, name)
    base = environment(folder, GITLAB_CI="true", CI_PROJECT_DIR=str(folder), **env)
    for key, value in job["variables"].items():
        base.setdefault(key, re.sub(r"\$([A-Z_]+)", lambda match: base[match[1]], str(value)))
    lines = [*job["before_script"], *job["script"]]
    installing = next(line for line in lines if line.startswith("pip install"))
    code, log = install(installing, base["GITML_SPEC"])
    assert code == 0, log
    code, log = bash("\n".join(line for line in lines if line != installing), folder, base)
    return Done(code=code, log=log, folder=folder)


def _extended(definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a job with what it takes over from those that it extends."""
    job: dict[str, Any] = definition[name]
    return {**_extended(definition, job["extends"]), **job} if "extends" in job else job
