"""``gitml registry check``, ``propose``, ``rollback`` and ``apply``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gitml import config
from gitml.ci import pull_requests, release as releases
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk, to_json
from gitml.client import MlflowClient
from gitml.config import Job
from gitml.entities import Metric, Stage
from gitml.errors import GateFailed, GitmlError, InvalidInput
from gitml.git import GitRepo
from gitml.registry import facts, promotion
from gitml.registry.admission import Admission, gate_line
from gitml.registry.gates import declarations
from gitml.registry.promotion import Proposal, Review, landing, markdown_report, report_charts
from gitml.registry.promotion.landing import Landing
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind, parse
from gitml.sharing import push_pull

_why = click.option("-m", "--reason", required=True, metavar="WHY", help="Message of the commit.")

_approved_by = click.option(
    "--approved-by",
    multiple=True,
    metavar="NAME",
    help="Approver of the pull request; repeatable.",
)

_output = click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write the report to a .md file, or to a folder with JSON and charts.",
)

_in_ci = click.option(
    "--ci", is_flag=True, help="In a job of GitHub Actions or GitLab CI: use its pull request."
)


def _job() -> Job:
    job = config.job()
    if job is None:
        raise InvalidInput(
            "--ci works only in jobs of GitHub Actions and GitLab CI.",
            hint="Leave it out.",
        )
    return job


def _client() -> MlflowClient:
    """Return a client with the records of the git remote, if there is one."""
    client = MlflowClient()
    if client.registry.remote in client.repository.git.remotes():
        push_pull.pull(client.repository)
    return client


@click.command()
@_approved_by
@click.option(
    "--base", metavar="REV", help="Compare with REV; default: the remote's default branch."
)
@_in_ci
@_output
@as_json
def check(
    approved_by: tuple[str, ...], base: str | None, ci: bool, output: Path | None, json_: bool
) -> None:
    """Evaluate the changes of registry/*.yaml, and print the review report.

    Validates the files of the work tree and evaluates the gates against what is live now. The
    report is Markdown; the exit code is 4 if a gate fails. With --ci, base and approvals come from
    the pull request, and the report becomes a comment on it, which later reports replace.
    """
    job = _job() if ci else None
    client = _client()
    if job and job.base:
        base = base or f"{client.registry.remote}/{job.base}"
    if job and job.request is not None:
        approved_by = approved_by or _approvers(client, job)
    review = promotion.check(client.registry, base, approved_by=approved_by)
    if job:
        _tell_host(job, review)
    _show(client, review, output, json_)
    if not review.holds:
        raise GateFailed("The proposal does not meet its gates.", hint="See the report above.")


def _approvers(client: MlflowClient, job: Job) -> tuple[str, ...]:
    wrote = _wrote(client.registry.repo, declarations.FOLDER)
    try:
        return pull_requests.of(job).approvers(wrote)
    except GitmlError as error:
        talk(f"Cannot find out who approved: {error.message}")
        return ()


def _wrote(repo: GitRepo, path: str) -> pull_requests.Wrote:
    return lambda commit: landing.wrote(repo, commit, path) if repo.contains(commit) else None


def _tell_host(job: Job, review: Review) -> None:
    """Put the report onto the job's page and into its pull request."""
    text = markdown_report.markdown(review)
    if job.summary:
        with job.summary.open("a", encoding="utf-8") as file:
            file.write(text)
    if job.request is None:
        return
    try:
        pull_requests.of(job).comment(text, new=bool(review.changes or review.notes))
    except GitmlError as error:  # such as in a pull request from a fork: its token only reads
        talk(f"Could not comment on the pull request: {error.message}")


def _show(client: MlflowClient, review: Review, output: Path | None, json_: bool) -> None:
    if output:
        try:
            _write(client.registry, review, output)
        except OSError as error:
            raise InvalidInput(
                f"Cannot write the report to {output}: {error.strerror or error}.",
                hint="Give another path with --output.",
            ) from error
    if json_:
        print_json(review)
        return
    for line in markdown_report.markdown(review).splitlines():
        say(line)


@click.command("report")
@click.argument("name")
@click.argument("version")
@click.argument("stage", default="Production")
@_output
@as_json
def show_report(name: str, version: str, stage: str, output: Path | None, json_: bool) -> None:
    """Print the review report of a version for a stage, without proposing it."""
    client = MlflowClient()
    _show(client, promotion.consider(client.registry, name, version, stage), output, json_)


def _curves(registry: Registry, model: str, version: int) -> tuple[Metric, ...]:
    model_version = registry.get_model_version(model, version)
    return facts.curves(registry.repo, registry.branch, model_version)


def _write(registry: Registry, review: Review, output: Path) -> None:
    """Write a report: into a ``.md`` file, else into a folder with JSON and charts beside it."""
    text = markdown_report.markdown(review)
    if output.suffix.lower() == ".md":
        output.write_text(text, encoding="utf-8")
        return
    output.mkdir(parents=True, exist_ok=True)
    document = json.dumps(to_json(review), indent=2, ensure_ascii=False, allow_nan=False)
    (output / "report.md").write_text(text, encoding="utf-8")
    (output / "report.json").write_text(document + "\n", encoding="utf-8")
    for change in review.changes:
        versions = (change.version, change.incumbent)
        curves = {number: _curves(registry, change.model, number) for number in versions if number}
        for name, data in report_charts.pictures(change, curves):
            (output / name).write_bytes(data)


@click.command()
@click.argument("name")
@click.argument("version")
@click.argument("stage")
@_why
@as_json
def propose(name: str, version: str, stage: str, reason: str, json_: bool) -> None:
    """Propose a promotion: push a branch that changes one line.

    Nothing is checked out. Opens a pull request if gh or glab is installed. Gates that fail are
    named first; the proposal is made nevertheless, but cannot be applied past them.
    """
    made = promotion.propose(_client().registry, name, version, stage, reason, judged=_warn)
    _tell_proposal(made, json_)


@click.command()
@click.argument("name")
@click.argument("stage")
@_why
@as_json
def rollback(name: str, stage: str, reason: str, json_: bool) -> None:
    """Propose the version that was in a stage before the current one.

    Checks first that its files are in their remote.
    """
    client = _client()
    made = promotion.rollback(client.registry, client.repository, name, stage, reason, judged=_warn)
    _tell_proposal(made, json_)


def _warn(admission: Admission) -> None:
    """Say which gates do not hold, before anything is pushed."""
    for verdict in admission.failed:
        talk(f"A gate of {admission.stage.value} fails: {gate_line(verdict)}")
    for verdict in admission.pending:
        talk(f"A gate of {admission.stage.value} waits: {gate_line(verdict)}")


def _tell_proposal(made: Proposal, json_: bool) -> None:
    if json_:
        print_json(made)
        return
    say(f"Proposed version {made.version} for {made.stage} on branch {made.branch}.")
    if made.pull_request:
        say(f"Review it at {made.pull_request}")
    elif made.open_at:
        say(f"Open the pull request at {made.open_at}")
    else:
        talk(f"Review and merge branch {made.branch}, then run `gitml registry apply --push`.")


@click.command()
@_approved_by
@click.option("--push", is_flag=True, help="Push the tags; those that start workflows last.")
@_in_ci
@as_json
def apply(approved_by: tuple[str, ...], push: bool, ci: bool, json_: bool) -> None:
    """Tag what registry/*.yaml of HEAD declares.

    Idempotent: does nothing if the tags match the files. The tags record who merged the
    declaration, in which pull request, who approved it, and every gate with its measured values.
    --approved-by counts for changes of HEAD itself, the trailers of the merge commit for others.
    With --ci the approvals come from the merged pull requests, and the step's output `entered`
    lists the pushed tags of versions that entered Production.
    """
    job = _job() if ci else None
    registry = _client().registry
    requests = pull_requests.of(job) if job and job.token else None

    def approvers_of(landed: Landing) -> tuple[str, ...]:
        assert requests is not None
        return requests.approvers_of(landed, _wrote(registry.repo, landed.path))

    done = promotion.apply(
        registry,
        push=push,
        approved_by=approved_by,
        approvers_of=approvers_of if requests else None,
    )
    if job and job.output:
        with job.output.open("a", encoding="utf-8") as file:
            file.write(f"entered={json.dumps(list(filter(_enters_production, done.pushed)))}\n")
    if json_:
        print_json(done)
        return
    for sentence in done.done:
        say(sentence)
    for path in done.uncommitted:
        talk(f"{path} has uncommitted changes; they were left out.")
    if not done.done:
        talk("Nothing to apply: the tags match registry/*.yaml.")
    if done.pushed:
        talk(f"Pushed {', '.join(done.pushed)}.")


def _enters_production(tag: str) -> bool:
    event = parse(tag)
    return event is not None and event.kind is Kind.STAGE and event.value == Stage.PRODUCTION


@click.command()
@click.argument("what", metavar="TAG_OR_URI")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("model-release"),
    show_default=True,
    metavar="DIR",
)
@as_json
def release(what: str, output: Path, json_: bool) -> None:
    """Pack a version for a release, and print the git tag of the version.

    TAG_OR_URI is a tag such as Price#Production#7 or Price@v2.0.0, or a URI such as
    models:/Price/Production. Writes the packed model directory, notes.md and release.json to DIR.
    """
    made = releases.pack(_client(), what, output)
    if json_:
        print_json(made)
        return
    say(made.tag)
    talk(f"Packed {output / made.archive}.")
