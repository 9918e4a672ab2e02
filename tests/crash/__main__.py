"""Runs trials: forks a writer that dies at a random step, then a judge in a fresh process."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Loaded once; each process of a trial is a fork of one that has opened no repository.
import git  # noqa: F401

from tests.conftest import git as stock_git, make_repository
from tests.crash import story
from tests.crash.judging import findings
from tests.crash.killing import Death, Site, Steps

Phases = dict[str, dict[Site, list[int]]]

PER_REPOSITORY = 20  # trials on one repository, whose scars add up
WAITS = ("communicate(", "os.fsync", "os.write", "_talk(", ".finish(")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder to work in")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    chance = random.Random(arguments.seed)
    phases: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    steps, lasts = rehearsal(make(arguments.folder / "rehearsal"))
    for number in range(arguments.trials):
        folder = arguments.folder / str(number // PER_REPOSITORY)
        repository = folder / "clone" if folder.exists() else make(folder)
        death = choose(chance, steps, lasts)
        phase, problems = trial(repository, number, death)
        phases[phase] += 1
        kinds[kind_of(death)] += 1
        if problems:
            bad.append({"number": number, "phase": phase, "death": repr(death), "found": problems})
            print(json.dumps(bad[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"trials": arguments.trials, "phases": phases, "ways": kinds, "bad": bad}))


def make(folder: Path) -> Path:
    """A clone with a bare remote, and files to log."""
    (folder / "inputs" / "model").mkdir(parents=True)
    (folder / "inputs" / "big.bin").write_bytes(story.BIG)
    (folder / "inputs" / "model" / "MLmodel").write_text(story.MLMODEL)
    clone = make_repository(folder / "clone")
    stock_git(folder, "init", "-q", "--bare", "server.git")
    stock_git(clone, "remote", "add", "origin", str(folder / "server.git"))
    # A server does not die with its clients.
    stock_git(clone, "config", "remote.origin.receivepack", "setsid -w git-receive-pack")
    stock_git(clone, "config", "remote.origin.uploadpack", "setsid -w git-upload-pack")
    return clone


def rehearsal(repository: Path) -> tuple[Phases, float]:
    """When each line of the package runs in the second story of a repository, and its time in s."""
    out = repository.parent / "sites.json"

    def count() -> None:
        steps = Steps(None, out)
        steps.rehearsing = True
        steps.watch()
        story.tell(repository, story.Notes(repository.parent / "notes"), 0)
        sys.settrace(None)
        phases = {name: [*times.items()] for name, times in steps.phases.items()}
        out.write_text(json.dumps(phases))

    def only_tell() -> None:
        story.tell(repository, story.Notes(repository.parent / "notes"), 0)

    for work in (count, count, only_tell):
        began = time.time()
        assert forked(work) == 0, "the story does not come to its end"
    lasts = time.time() - began
    phases = json.loads(out.read_text())
    return {
        name: {tuple(site): times for site, times in sites} for name, sites in phases.items()
    }, lasts


def choose(chance: random.Random, steps: Phases, lasts: float) -> Death:
    """A random phase, then a line of it, then one of its times: rare steps die as often."""
    draw = chance.random()
    if draw < 0.1:
        group = chance.random() < 0.5
        return Death(site=("", 0), count=0, group=group, delay=0.0, clock=chance.uniform(0, lasts))
    if draw < 0.2:
        return Death(site=("", 0), count=0, group=True, delay=0.0, refs=chance.randint(1, 9))
    waiting = chance.random() < 0.4
    sites = steps[chance.choice(sorted(steps))]
    pool = [site for site in sorted(sites) if waiting and waits(site)] or sorted(sites)
    site = chance.choice(pool)
    return Death(
        site=site,
        count=chance.choice(sites[site]),
        group=chance.random() < 0.5,
        delay=chance.uniform(0.0001, 0.015) if waiting else 0.0,
    )


def waits(site: Site) -> bool:
    """Tell whether a line waits for git or for the disk."""
    from gitml import __file__ as package

    line = (Path(package).parent / site[0]).read_text().splitlines()[site[1] - 1]
    return any(mark in line for mark in WAITS)


def trial(repository: Path, number: int, death: Death) -> tuple[str, list[str]]:
    """Let a writer die and look at what is left: the phase it died in, and what is wrong."""
    folder = repository.parent
    notes, phase, verdict = (folder / f"{name} {number}" for name in ("notes", "phase", "verdict"))

    def write() -> None:
        os.setpgid(0, 0)
        Steps(death, phase).watch()
        story.tell(repository, story.Notes(notes), number)

    def judge() -> None:
        try:
            problems = findings(repository, story.read_notes(notes))
        except Exception:  # whatever it is: the trial failed
            problems = [traceback.format_exc()]
        verdict.write_text(json.dumps(problems))

    if death.refs:
        set_trap(repository, death.refs, phase)
    forked(write, death)
    (repository / ".git" / "hooks" / "reference-transaction").unlink(missing_ok=True)
    if death.group:
        let_time_pass(repository)
    forked(judge)
    unseen = "by the clock" if death.clock else "survived"
    return phase.read_text() if phase.exists() else unseen, json.loads(verdict.read_text())


def kind_of(death: Death) -> str:
    if death.refs:
        return "group, holding the locks of refs"
    if death.clock:
        return ("group" if death.group else "process") + ", by the clock"
    return ("group" if death.group else "process") + (", while it waits" if death.delay else "")


def set_trap(repository: Path, after: int, phase: Path) -> None:
    """Let git kill itself and its parents when it changes refs for the n-th time."""
    hook = repository / ".git" / "hooks" / "reference-transaction"
    count = repository.parent / "transactions"
    count.write_text(f"{after}")
    hook.write_text(
        "#!/bin/sh\n"
        '[ "$1" = prepared ] || exit 0\n'
        f"read left < '{count}'\n"
        f"echo $((left - 1)) > '{count}'\n"
        f"[ $left = 1 ] && {{ printf 'ref update' > '{phase}'; kill -9 0; }}\n"
        "exit 0\n"
    )
    hook.chmod(0o755)


def let_time_pass(repository: Path) -> None:
    """What a killed git left behind is an hour old when the next process comes."""
    for path in (repository / ".git").rglob("*.lock"):
        old = time.time() - 3600
        os.utime(path, (old, old))


def forked(work: Callable[[], None], death: Death | None = None) -> int:
    """Do something in a child, which may be killed by the clock; returns its exit code."""
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    if death and death.clock:
        time.sleep(death.clock)
        with contextlib.suppress(ProcessLookupError):  # it has ended, or has no group yet
            (os.killpg if death.group else os.kill)(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
