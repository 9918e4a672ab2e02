"""Read settings: ``gitml.yaml`` at the root of the work tree, and environment variables.

The only reader of ``os.environ``. Every key and variable is listed in the README.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field, is_dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput

FILE_NAME = "gitml.yaml"
_SINCE = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?|[^@#]+[@#].+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """The ``site`` section.

    Attributes:
        title: Heading of the dashboard; the repository's folder name where empty.
        run_pages: How many of the newest runs get a page of their own.
        max_bytes: How large the dashboard may become; 0 for any size.
        templates: Folder of templates that come before the built-in ones.
        accent: Accent colour, such as ``#0a58b5``.
        logo: Picture for the bar of every page.
        pages: Folder of extra pages in Markdown.
        url: Address of the published site; feeds and the page for missing pages need it.
    """

    title: str = ""
    run_pages: int = 5000
    max_bytes: int = 200_000_000
    templates: str = ""
    accent: str = ""
    logo: str = ""
    pages: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """The ``registry`` section; ``gitml registry verify`` reads it from the default branch.

    Attributes:
        signatures: ``required`` where every registry tag must be signed by someone allowed, else
            ``optional``.
        signed_since: Tags, or commits of the records' branch, separated by spaces: what was there
            before needs no signature; all tags must be signed where empty.
        signers: Glob of models to stage to who may sign that.
        proposal_prefix: What the names of the branches begin with that propose something.
    """

    signatures: str = "optional"
    signed_since: str = ""
    signers: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    proposal_prefix: str = "promote/"

    @property
    def since(self) -> tuple[str, ...]:
        """The tags and commits, one by one."""
        return tuple(self.signed_since.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """The ``record`` section: what runs record of the code and of the machine.

    Attributes:
        patch: Whether uncommitted changes are recorded; values that look like secrets never are.
        command: The command line: ``redacted``, ``full`` with all its values, or ``none``.
        environment: ``packages`` to record what is installed, or ``none``.
    """

    patch: bool = True
    command: str = "redacted"
    environment: str = "packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of ``gitml.yaml``.

    Attributes:
        branch: Branch that holds the records.
        git_remote: git remote of ``gitml push`` and ``pull``.
        experiment_prefix: What the names of experiments begin with that scripts name.
        forge: Whose web pages the remote's host has where its name does not tell: ``github``,
            ``gitlab``, ``bitbucket`` or ``gitea``; GitHub's where empty.
        allow_pickles: Whether models that were saved as pickles may be loaded, which runs code.
        record: What runs record of the code and of the machine.
        site: The dashboard.
        registry: Who may sign registry tags.
    """

    branch: str = "gitml/runs"
    git_remote: str = "origin"
    experiment_prefix: str = ""
    forge: str = ""
    allow_pickles: bool = True
    record: RecordSettings = field(default_factory=RecordSettings)
    site: SiteSettings = field(default_factory=SiteSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Values of the environment variables; None or empty if unset.

    Attributes:
        tracking_uri: ``GITML_TRACKING_URI``: path of the repository to log to.
        experiment_name: ``GITML_EXPERIMENT_NAME``: experiment where a script sets none.
        run_id: ``GITML_RUN_ID``: run that the first ``start_run`` of the process resumes.
        allow_pickles: ``GITML_ALLOW_PICKLES``: overrides the setting when set.
        on_error: ``GITML_ON_ERROR``: ``raise``, or ``warn`` where a training goes on although
            something cannot be logged.
        trusted_remotes: ``GITML_TRUSTED_REMOTES``: addresses that artifacts may be exchanged with,
            separated by spaces or commas.
    """

    tracking_uri: str | None = None
    experiment_name: str | None = None
    run_id: str | None = None
    allow_pickles: bool | None = None
    on_error: str = "raise"
    trusted_remotes: tuple[str, ...] = ()


def tracking_uri() -> str | None:
    """Read ``GITML_TRACKING_URI`` alone, which every call needs; None if it is not set."""
    return os.environ.get("GITML_TRACKING_URI") or None


def environment() -> Environment:
    """Read the environment variables."""
    allow = os.environ.get("GITML_ALLOW_PICKLES")
    on_error = os.environ.get("GITML_ON_ERROR")
    trusted = os.environ.get("GITML_TRUSTED_REMOTES")
    return Environment(
        tracking_uri=tracking_uri(),
        experiment_name=os.environ.get("GITML_EXPERIMENT_NAME") or None,
        run_id=os.environ.get("GITML_RUN_ID") or None,
        allow_pickles=None if allow is None else allow.lower() in ("1", "true", "yes"),
        on_error="warn" if on_error and on_error.lower() == "warn" else "raise",
        trusted_remotes=tuple(re.findall(r"[^\s,]+", trusted or "")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The CI job that this process is a step of.

    Attributes:
        host: ``github`` or ``gitlab``.
        api: Address of the host's API.
        project: The repository, as the API names it.
        token: Token for the API; empty for none.
        request: Number of the job's pull request, None for none.
        base: Target branch of the pull request or of the merge queue; empty for none.
        output: File for the step's outputs, None if the host has no such file.
        summary: File for Markdown on the job's page, likewise.
    """

    host: str
    api: str
    project: str
    token: str = field(repr=False)
    request: int | None = None
    base: str = ""
    output: Path | None = None
    summary: Path | None = None


def job() -> Job | None:
    """Read the job from the variables of GitHub Actions or GitLab CI; None outside of both."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        event = _event()
        pull = _section(event, "pull_request")
        merging = str(_section(event, "merge_group").get("base_ref", ""))
        return Job(
            host="github",
            api=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
            project=os.environ.get("GITHUB_REPOSITORY", ""),
            token=os.environ.get("GITHUB_TOKEN", ""),
            request=_number(pull.get("number")),
            base=str(_section(pull, "base").get("ref", "")) or merging.removeprefix("refs/heads/"),
            output=_file("GITHUB_OUTPUT"),
            summary=_file("GITHUB_STEP_SUMMARY"),
        )
    if os.environ.get("GITLAB_CI") == "true":
        return Job(
            host="gitlab",
            api=os.environ.get("CI_API_V4_URL", "https://gitlab.com/api/v4"),
            project=os.environ.get("CI_PROJECT_ID", ""),
            token=os.environ.get("GITLAB_TOKEN", ""),
            request=_number(os.environ.get("CI_MERGE_REQUEST_IID")),
            base=os.environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        )
    return None


def _event() -> dict[str, Any]:
    """Read the event that started a job of GitHub Actions; empty if there is none."""
    path = _file("GITHUB_EVENT_PATH")
    try:
        value = json.loads(path.read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _section(event: dict[str, Any], key: str) -> dict[str, Any]:
    value = event.get(key)
    return value if isinstance(value, dict) else {}


def _file(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcExperiment:
    """The experiment of DVC in which this process runs, by the variables that DVC sets.

    Attributes:
        name: Its name; empty outside an experiment.
        baseline: The commit that it varies.
    """

    name: str
    baseline: str


def dvc_experiment() -> DvcExperiment:
    """Read which experiment of DVC this process is part of."""
    return DvcExperiment(
        name=os.environ.get("DVC_EXP_NAME", ""), baseline=os.environ.get("DVC_EXP_BASELINE_REV", "")
    )


def child_environment(**changes: str | None) -> dict[str, str]:
    """Return this process's environment with changes; None removes a variable."""
    changed = {**os.environ, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def load(root: Path | None) -> Settings:
    """Read ``gitml.yaml`` below a work tree's root; the defaults if there is none.

    Raises:
        InvalidInput: It is not valid YAML, or a key or a value is not valid.
    """
    path = root / FILE_NAME if root else None
    if path is None or not path.is_file():
        return Settings()
    return parse(path.read_bytes())


def parse(data: bytes) -> Settings:
    """Read the bytes of a ``gitml.yaml``.

    Raises:
        InvalidInput: It is not valid YAML, or a key or a value is not valid.
    """
    from gitml.formats import plain_yaml, schemas

    try:
        value = plain_yaml.load(data)
    except plain_yaml.YamlFault as error:
        raise InvalidInput(f"{FILE_NAME} is not valid YAML: line {error.line}: {error}.") from error
    value = {} if value is None else value
    for mismatch in schemas.faults_in_yaml(value, schemas.schema(FILE_NAME)):
        if mismatch.rule != "pattern":  # the dashboard checks what is its own when it is built
            raise InvalidInput(f"{FILE_NAME}: {mismatch.message}.", hint=mismatch.hint)
    settings: Settings = _fill(Settings(), value)
    for name in settings.registry.since:
        if not _SINCE.fullmatch(name):
            raise _not_since(name)
    if not settings.registry.proposal_prefix:
        raise InvalidInput(
            f"{FILE_NAME}: registry.proposal_prefix must not be empty.",
            hint="Write a prefix such as `promote/`, or leave the key out.",
        )
    if settings.site.url and not re.fullmatch(r"https?://[^\s<>\"']+", settings.site.url):
        raise InvalidInput(
            f"{FILE_NAME}: site.url is {settings.site.url!r:.60}, which is not a valid URL.",
            hint="Write it like https://team.github.io/prices/.",
        )
    return settings


def _not_since(name: str) -> InvalidInput:
    """Return the error of a ``signed_since`` that is neither a tag nor a commit."""
    try:
        datetime.fromisoformat(name)
        reason = "is a date, which anybody can write into a tag"
    except ValueError:
        reason = "is neither the name of a registry tag nor the whole id of a commit"
    return InvalidInput(
        f"{FILE_NAME}: registry.signed_since {reason}: {name!r:.60}.",
        hint="Write the id that `git rev-parse origin/gitml/runs` prints: tags that were sent "
        "before that commit need no signature.",
    )


def _fill(settings: Any, value: dict[str, Any]) -> Any:
    """Return settings with the values of a checked mapping."""
    changes = {}
    for key, item in value.items():
        old = getattr(settings, key)
        changes[key] = _fill(old, item) if is_dataclass(old) else item
    return replace(settings, **changes)


def experiment_prefix(root: Path | None, folder: Path) -> str:
    """Return what the names of experiments of scripts in a folder begin with.

    That is for the nearest ``gitml.yaml`` between the folder and the root to say: below the root
    the path of its own folder and a slash where it does not.

    Args:
        root: The work tree's root; None in a bare repository, which has no such files.
        folder: Where the script is.

    Raises:
        InvalidInput: A file is not valid, or one below the root says more than that.
    """
    if root is None or not folder.is_relative_to(root):
        return ""
    for path in (folder, *folder.parents):
        settings = load(path)
        if path == root:
            return settings.experiment_prefix
        if (path / FILE_NAME).is_file():
            if replace(settings, experiment_prefix="") != Settings():
                raise InvalidInput(
                    f"{(path / FILE_NAME).relative_to(root)} sets more than experiment_prefix.",
                    hint=f"Move the other keys to the {FILE_NAME} at the root of the repository.",
                )
            return settings.experiment_prefix or f"{path.relative_to(root).as_posix()}/"
    return ""


def now_ms() -> int:
    """Return the time in ms since the Unix epoch."""
    return time.time_ns() // 1_000_000
