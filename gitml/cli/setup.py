"""``gitml init``."""

from __future__ import annotations

from pathlib import Path

import click

from gitml import config, files
from gitml.ci import workflows
from gitml.ci.workflows import Host, WrittenWorkflows
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.errors import InvalidInput, NoRepository
from gitml.formats import schemas
from gitml.formats.settings_template import settings_template
from gitml.git import GitRepo, identity
from gitml.repository import Repository

_IGNORED = ("_site/", "artifacts-*/", ".dvc/config.local")
"""What gitml's commands leave in a work tree and nobody wants to commit."""
_NEXT = """
Put this into a training script:

    import gitml as mlflow
    with mlflow.start_run():
        mlflow.log_metric("rmse", 0.42)

Run it, then type `gitml runs list`, or `gitml ui` for the dashboard.

Runs record your git name, the commit, uncommitted changes, command line and packages; `gitml push`
shares them. What looks like a secret is hidden; `record` in gitml.yaml records less."""


_NEXT_IN_CI = {
    Host.GITHUB: """
Next:
  1. Commit .github/workflows, push the default branch, then type `gitml push`.
  2. Settings > Pages > Source: GitHub Actions, for the dashboard.
  3. Settings > Rules: require a pull request for the default branch, and the check `review`; let
     GitHub Actions create tags, where a rule restricts that.
  4. Settings > Secrets and variables > Actions: what signs in to the artifacts' remote; see
     gitml-release.yml. The variable GITML_SPEC says where gitml is installed from.""",
    Host.GITLAB: """
Next:
  1. Settings > Access tokens, then Settings > CI/CD > Variables: GITML_REVIEW_TOKEN,
     GITML_APPLY_TOKEN and what signs in to the artifacts' remote, as .gitlab/gitml.yml says.
  2. Commit .gitlab and .gitlab-ci.yml, push the default branch, then type `gitml push`.
  3. Protect the default branch; let Maintainers create tags, where a rule restricts that.
  4. Build > Pipeline schedules: one for the default branch, such as nightly.""",
}


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--ci", type=click.Choice([host.value for host in Host]), help="Write workflows for this host."
)
@click.option("--force", is_flag=True, help="With --ci: overwrite files that differ.")
@as_json
def init(folder: Path, ci: str | None, force: bool, json_: bool) -> None:
    """Set up a repository for tracking.

    Uses the repository that contains DIR (default: the current folder), or creates one in DIR.
    Doing it again changes nothing.

    --ci adds workflows that post the review report on pull requests, apply merged declarations,
    release versions that enter Production, and publish the dashboard.
    """
    if force and ci is None:
        raise InvalidInput("--force needs --ci github or --ci gitlab.")
    git = _repository(folder)
    repository = Repository.open(git.work_tree or git.git_dir)
    made = [_branch(repository), _settings(git.work_tree), _ignore(git)]
    written = None if ci is None else workflows.write(repository, Host(ci), overwrite=force)
    if json_:
        root = git.work_tree or git.git_dir
        print_json({"repository": root, "branch": repository.branch.name, "workflows": written})
        return
    if ci is not None and written is not None:
        _report_workflows(repository, Host(ci), written)
        return
    if not any(made):
        talk(f"{git.work_tree or git.git_dir} is already set up.")
    if not identity.is_configured(git):
        talk(
            f"git has no user.name and user.email; runs are recorded as by {git.identity}. "
            'To change that: git config --global user.name "…"; git config --global user.email "…"'
        )
    for line in _NEXT.splitlines():
        say(line)


def _report_workflows(repository: Repository, host: Host, done: WrittenWorkflows) -> None:
    for path in done.files:
        talk(f"Wrote {path}.")
    for path in done.branch_files:
        talk(f"Committed {path} to {repository.branch.name}.")
    if not done.files and not done.branch_files:
        talk("The workflows are up to date.")
    if done.include:
        talk(".gitlab-ci.yml is not changed; add this to it:")
        for line in done.include.splitlines():
            say(f"    {line}")
    if repository.uses_default_remote():
        talk(
            "Artifacts are in a folder of this clone, where jobs cannot find them: releases need "
            "`gitml remote add NAME URL`."
        )
    for line in _NEXT_IN_CI[host].splitlines():
        say(line)


def _repository(folder: Path) -> GitRepo:
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(
            f"{str(folder)!r} is not a folder.", hint="Give a folder, or leave it out."
        )
    try:
        return GitRepo.discover(folder)
    except NoRepository:
        config.load(folder)  # a file that cannot be read is refused before anything is made
        git = GitRepo.init(folder)
        talk(f"Created a git repository in {folder.resolve()}.")
        return git


def _branch(repository: Repository) -> bool:
    branch = repository.branch
    if branch.tip() is not None:
        return False
    first = {".dvc/config": branch.remote_config(None)}
    branch.update(lambda tip: ({}, "") if tip else (first, "runs: branch created\n"))
    talk(f"Created branch {branch.name} for the records of runs.")
    return True


def _settings(root: Path | None) -> bool:
    """Write ``gitml.yaml`` where there is none, not even a broken link."""
    if root is None:
        return False
    try:
        with (root / config.FILE_NAME).open("x", encoding="utf-8") as file:
            file.write(settings_template(schemas.schema(config.FILE_NAME)))
    except FileExistsError:
        return False
    talk(f"Wrote {config.FILE_NAME}; commit it with your code.")
    return True


def _ignore(git: GitRepo) -> bool:
    """Add to ``.gitignore`` what git does not ignore yet, below what is there."""
    root = git.work_tree
    missing = [pattern for pattern in _IGNORED if root and not _is_ignored(git, pattern)]
    path = root / ".gitignore" if root else None
    if path is None or not missing or path.is_symlink():
        return False
    text = path.read_bytes() if path.exists() else b""
    gap = b"" if not text or text.endswith(b"\n") else b"\n"
    files.replace(path, text + gap + "".join(f"{pattern}\n" for pattern in missing).encode())
    talk(f"Added {', '.join(missing)} to .gitignore.")
    return True


def _is_ignored(git: GitRepo, pattern: str) -> bool:
    path = pattern.replace("*", "0a1b")
    return bool(git.run("check-ignore", "--no-index", path, ok=(0, 1)))
