"""``gitml status``."""

from __future__ import annotations

from typing import Any

import click

from gitml.cli.cells import Cell, Identifier, When
from gitml.cli.options import as_json
from gitml.cli.output import facts, heading, print_json, table, talk
from gitml.registry.deleted_tags import deleted_tags
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.storage.address import mask
from gitml.text import plural
from gitml.tracking.client import TrackingClient

_RECORD = "/run.json"
_STAGES = ("Production", "Staging", "None")


@click.command()
@as_json
def status(json_: bool) -> None:
    """Show the state of the clone and what is not pushed yet."""
    status_ = _status(TrackingClient().repository)
    if json_:
        print_json(status_)
    else:
        _print(status_)


def _status(repository: Repository) -> dict[str, Any]:
    index = repository.index()
    counts = index.counts()
    git, branch = repository.git, repository.branch
    live = [run for run in map(index.get_run, repository.runs.in_progress()) if run]
    return {
        "repository": str(git.work_tree or git.git_dir),
        "branch": {
            "name": branch.name,
            "commit": branch.tip(),
            "git_remote": repository.settings.git_remote,
            "git_remote_url": git.remotes().get(repository.settings.git_remote),
        },
        "runs": counts.runs,
        "deleted_runs": counts.deleted_runs,
        "experiments": counts.experiments,
        "problems": counts.problems,
        "in_progress": [
            {
                "run_id": run.info.run_id,
                "run_name": run.info.run_name,
                "start_time": run.info.start_time,
            }
            for run in live
        ],
        "in_batches": repository.runs.in_batches(),
        "not_pushed": _not_pushed(repository),
        "artifacts": {
            "url": mask(repository.remote_url()),
            "shared": not repository.uses_default_remote(),
        },
        "models": _models(repository),
        "deleted_tags": deleted_tags(Registry.of(repository)),
    }


def _not_pushed(repository: Repository) -> dict[str, int]:
    """Count the runs that the git remote did not have when it was last talked to."""
    branch = repository.branch
    local, remote = repository.git.ref(branch.ref), repository.git.ref(branch.tracking_ref)
    if local is None or local == remote:
        return {"new": 0, "changed": 0}
    changes = [c for c in repository.git.diff(remote, local) if c.path.endswith(_RECORD)]
    return {
        "new": sum(change.old is None for change in changes),
        "changed": sum(None not in (change.old, change.new) for change in changes),
    }


def _models(repository: Repository) -> list[dict[str, Any]]:
    return [
        {
            "name": model.name,
            "stages": {version.current_stage: version.version for version in model.latest_versions},
            "aliases": model.aliases,
        }
        for model in Registry.of(repository).search_registered_models()
    ]


def _print(status_: dict[str, Any]) -> None:
    branch, waiting = status_["branch"], status_["not_pushed"]
    deleted = f", {status_['deleted_runs']} deleted" if status_["deleted_runs"] else ""
    lines: list[tuple[str, Cell]] = [
        ("Repository", status_["repository"]),
        ("Branch", branch["name"] if branch["commit"] else f"{branch['name']} (no run yet)"),
        ("Runs", plural(status_["runs"], "run") + deleted),
        ("Experiments", status_["experiments"]),
        ("Not pushed", _waiting(waiting, branch)),
        ("Artifacts", _artifacts(status_["artifacts"])),
    ]
    if status_["in_batches"]:
        waiting_runs = plural(status_["in_batches"], "run")
        lines.append(("In a batch", f"{waiting_runs}, seen here once the batch commits them"))
    if status_["problems"]:
        lines.append(
            (
                "Problems",
                f"{plural(status_['problems'], 'record')} not readable: `gitml doctor`",
            )
        )
    facts(lines)
    if status_["in_progress"]:
        heading("In progress")
        rows = [
            (Identifier(entry["run_id"]), entry["run_name"], When(entry["start_time"]))
            for entry in status_["in_progress"]
        ]
        table(("RUN", "NAME", "STARTED"), rows, empty="")
    for deleted in status_["deleted_tags"]:
        talk(f"warning: {deleted.sentence}")
    if status_["models"]:
        heading("Models")
        table(
            ("MODEL", "PRODUCTION", "STAGING", "NO STAGE"),
            [
                (
                    entry["name"],
                    *(entry["stages"].get(s) for s in ("Production", "Staging", "None")),
                )
                for entry in status_["models"]
            ],
            empty="",
        )


def _waiting(waiting: dict[str, int], branch: dict[str, Any]) -> str:
    if not any(waiting.values()):
        return "nothing"
    changed = f", {waiting['changed']} changed" if waiting["changed"] else ""
    add = f"`git remote add {branch['git_remote']} URL`, then "
    fix = f"{'' if branch['git_remote_url'] else add}`gitml push`"
    return f"{plural(waiting['new'], 'run')}{changed}: {fix}"


def _artifacts(artifacts: dict[str, Any]) -> str:
    if artifacts["shared"]:
        return str(artifacts["url"])
    return "on this machine only; `gitml remote add storage URL` shares them"
