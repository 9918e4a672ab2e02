"""The checks of ``gitml doctor``, one function per subject."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from gitml import config
from gitml.ci import workflows
from gitml.cli import doctor_remote
from gitml.cli.findings import Finding, Level
from gitml.errors import GitmlError, InvalidInput, StoreError
from gitml.git import GitRepo, identity
from gitml.git.settings import settings_of
from gitml.registry.deleted_tags import deleted_tags
from gitml.registry.gates import declarations
from gitml.registry.gates.declarations import Declaration
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.storage.address import mask
from gitml.store.in_progress import journal
from gitml.store.run_commits import has_ended
from gitml.text import plural

_OLDEST_GIT = (2, 34)
_OPTIONAL = (
    ("sklearn", "scikit-learn models", "pip install 'gitml[sklearn]'"),
    ("pandas", "search_runs as a table", "pip install pandas"),
    ("matplotlib", "log_figure", "pip install 'gitml[plots]'"),
)
_LISTED = 5  # bad records or tags that are listed; the rest is counted


def examine(folder: Path) -> Iterator[Finding]:
    """Check everything, in the order in which one thing needs the other.

    Args:
        folder: A folder of the repository.
    """
    yield _git()
    if shutil.which("git"):
        yield from _repository(folder)
    yield _dvc()
    for module, purpose, fix in _OPTIONAL:
        yield _library(module, purpose, fix)


def _good(check: str, message: str) -> Finding:
    return Finding(check=check, level=Level.OK, message=message)


def _warning(check: str, message: str, fix: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, message=message, fix=fix)


def _problem(check: str, message: str, fix: str) -> Finding:
    return Finding(check=check, level=Level.PROBLEM, message=message, fix=fix)


def _of(check: str, error: GitmlError, fix: str) -> Finding:
    return _problem(check, error.message, error.hint or fix)


# What is installed ------------------------------------------------------------------------------


def _git() -> Finding:
    try:
        done = subprocess.run(["git", "version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return _problem("git", "git cannot be started.", "Install git 2.34 or newer.")
    text = done.stdout.strip().removeprefix("git version ")
    if tuple(int(part) for part in re.findall(r"\d+", text)[:2]) < _OLDEST_GIT:
        return _problem("git", f"git {text} is too old.", "Install git 2.34 or newer.")
    return _good("git", text)


def _dvc() -> Finding:
    try:
        return _good("DVC", importlib.metadata.version("dvc"))
    except importlib.metadata.PackageNotFoundError:
        return _problem("DVC", "DVC is not installed.", "pip install 'dvc>=3.66.1,<4'")


def _library(module: str, purpose: str, fix: str) -> Finding:
    if importlib.util.find_spec(module):
        return _good(module, f"installed ({purpose})")
    return _warning(module, f"not installed; needed for {purpose}", fix)


# The repository ---------------------------------------------------------------------------------


def _repository(folder: Path) -> Iterator[Finding]:
    try:
        git = GitRepo.discover(folder)
    except GitmlError as error:
        yield _of("repository", error, "git status")
        return
    yield _good("repository", str(git.work_tree or git.git_dir))
    yield _identity(git)
    try:
        settings = settings_of(git)
        repository = Repository.open(folder)
    except InvalidInput as error:
        yield _of("gitml.yaml", error, "Correct the file.")
        return
    exists = git.work_tree is not None and (git.work_tree / config.FILE_NAME).exists()
    yield _good("gitml.yaml", "valid" if exists else "no file; the defaults are used")
    checks: tuple[tuple[str, Callable[[Repository], Iterator[Finding]]], ...] = (
        ("local state", _state),
        ("left behind", _left_behind),
        ("branch", _branch),
        ("records", _records),
        ("registry", _registry),
        (f"git remote {settings.git_remote}", _git_remote),
        ("DVC remote", doctor_remote.findings),
        ("workflows", _workflows),
    )
    for name, check in checks:
        try:
            yield from check(repository)
        except GitmlError as error:
            yield _of(name, error, "Run `gitml --debug status`.")


def _identity(git: GitRepo) -> Finding:
    """Check that commits bear a name that was given to git, not one that was guessed."""
    if identity.is_configured(git):
        return _good("identity", str(git.identity))
    return _warning(
        "identity",
        f"git has no user.name and user.email; runs are recorded as by {git.identity}",
        'git config --global user.name "…"; git config --global user.email "…"',
    )


def _state(repository: Repository) -> Iterator[Finding]:
    folder = repository.state if repository.state.exists() else repository.git.common_dir
    if folder.is_dir() and os.access(folder, os.W_OK):
        yield _good("local state", str(repository.state))
    else:
        yield _problem("local state", f"{folder} is not a writable folder.", f"ls -ld {folder}")


def _left_behind(repository: Repository) -> Iterator[Finding]:
    """Look for runs whose process died; reading the index afterwards commits them."""
    runs = repository.runs.in_progress().values()
    dead = [folder for folder in runs if not journal.is_alive(folder)]
    ended = [folder for folder in dead if has_ended(journal.read(folder))]
    if ended:
        yield _warning(
            "left behind",
            f"{plural(len(ended), 'run')} that ended but could not be committed, recorded now",
            "gitml runs list",
        )
    if len(dead) > len(ended):
        yield _warning(
            "left behind",
            f"{plural(len(dead) - len(ended), 'run')} of processes that died, now recorded as "
            "FAILED",
            "gitml runs list --filter \"tags.`gitml.recovered` = 'true'\"",
        )
    if not dead:
        yield _good("left behind", "no run of a dead process")


def _branch(repository: Repository) -> Iterator[Finding]:
    branch, git = repository.branch, repository.git
    local, remote = git.ref(branch.ref), git.ref(branch.tracking_ref)
    if local is None and remote is None:
        yield _warning("branch", f"{branch.name} does not exist yet", "gitml init")
    elif local is None:
        yield _good("branch", f"{branch.name} of {repository.settings.git_remote}")
    elif remote is None:
        yield _warning("branch", f"{branch.name} was never pushed", "gitml push")
    else:
        yield _distance(git, branch.name, local, remote)


def _distance(git: GitRepo, name: str, local: str, remote: str) -> Finding:
    out = git.run("rev-list", "--left-right", "--count", f"{local}...{remote}").split()
    ahead, behind = (int(number) for number in out)
    if not ahead and not behind:
        return _good("branch", f"{name}, as last pushed")
    message = f"{name} is {plural(ahead, 'commit')} ahead, {behind} behind"
    return _warning("branch", message, "gitml sync" if behind else "gitml push")


def _records(repository: Repository) -> Iterator[Finding]:
    index = repository.index()
    counts, problems = index.counts(), index.problems()
    for problem in problems[:_LISTED]:
        yield _problem("records", f"{problem.path}: {problem.reason}", _history_of(repository))
    if len(problems) > _LISTED:
        rest = plural(len(problems) - _LISTED, "more record")
        yield _problem("records", f"{rest} unreadable", _history_of(repository))
    if not problems:
        runs, experiments = (
            plural(counts.runs, "run"),
            plural(counts.experiments, "experiment"),
        )
        yield _good("records", f"{runs} in {experiments}, all readable")


def _history_of(repository: Repository) -> str:
    return f"git log {repository.branch.name} -- PATH"


def _registry(repository: Repository) -> Iterator[Finding]:
    registry = Registry.of(repository)
    ignored = registry.ignored_tags()
    for tag in ignored[:_LISTED]:
        yield _warning("registry", f"tag {tag.tag} is ignored: {tag.reason}", "git show TAG")
    if len(ignored) > _LISTED:
        rest = plural(len(ignored) - _LISTED, "more tag")
        yield _warning("registry", f"{rest} ignored", "git show TAG")
    wrong = [
        *(_problem("registry", f"tag {item.sentence}", "gitml registry verify")
          for item in registry.view().rejected[:_LISTED]),
        *(_problem("registry", tag.sentence, "gitml registry verify")
          for tag in deleted_tags(registry)[:_LISTED]),
        *(_of("registry", declaration, "mend the file, then commit it")
          for declaration in _declarations(repository.git)
          if isinstance(declaration, InvalidInput)),
    ]  # fmt: skip
    yield from wrong
    if not ignored and not wrong:
        yield _good("registry", plural(len(registry.search_registered_models()), "model"))


def _declarations(git: GitRepo) -> Iterator[Declaration | InvalidInput]:
    """Read registry/*.yaml of the work tree, if there is one."""
    return declarations.read_each(git) if git.work_tree else iter(())


def _workflows(repository: Repository) -> Iterator[Finding]:
    """Compare what the written workflows install with what the artifacts' remote needs now."""
    paths = workflows.missing_extras(repository)
    if paths:
        host = "gitlab" if paths[0].startswith(".gitlab") else "github"
        yield _problem(
            "workflows",
            f"{', '.join(paths)}: gitml is installed without what {mask(repository.remote_url())} "
            "needs",
            f"gitml init --ci {host} --force",
        )


def _git_remote(repository: Repository) -> Iterator[Finding]:
    name = repository.settings.git_remote
    url = repository.git.remotes().get(name)
    check = f"git remote {name}"
    if url is None:
        yield _warning(check, "not set up; runs stay on this machine", f"git remote add {name} URL")
        return
    try:
        # Without the prompt: a check that waits for a password looks like one that hangs.
        repository.git.run(
            "ls-remote", "--quiet", name, repository.branch.ref, env={"GIT_TERMINAL_PROMPT": "0"}
        )
    except StoreError as error:
        yield _problem(check, f"{url} does not answer: {error.message}", f"git ls-remote {name}")
    else:
        yield _good(check, f"{url} answers")
