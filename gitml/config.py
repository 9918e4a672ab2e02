"""Settings: ``gitml.yaml`` at the root of the work tree, and environment variables.

The only reader of ``os.environ``. Every key and variable is listed in the README.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput

FILE_NAME = "gitml.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """The ``site`` section.

    Attributes:
        title: Heading of the dashboard; the repository's folder name where empty.
        run_pages: How many of the newest runs get a page of their own.
        templates: Folder of templates that come before the built-in ones.
        accent: Accent colour, such as ``#0a58b5``.
        logo: Picture for the bar of every page.
        pages: Folder of extra pages in Markdown.
    """

    title: str = ""
    run_pages: int = 5000
    templates: str = ""
    accent: str = ""
    logo: str = ""
    pages: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``gitml.yaml`` can say.

    Attributes:
        branch: Branch that holds the records.
        git_remote: git remote that ``gitml push`` and ``pull`` talk to.
        allow_pickles: Whether models that were saved as pickles may be loaded, which runs code.
        site: The dashboard.
    """

    branch: str = "gitml/runs"
    git_remote: str = "origin"
    allow_pickles: bool = True
    site: SiteSettings = field(default_factory=SiteSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What environment variables say; None or empty where unset.

    Attributes:
        tracking_uri: ``GITML_TRACKING_URI``: path of the repository to log to.
        experiment_name: ``GITML_EXPERIMENT_NAME``: experiment where a script sets none.
        run_id: ``GITML_RUN_ID``: run that the first ``start_run`` of the process resumes.
        allow_pickles: ``GITML_ALLOW_PICKLES``: overrides the setting when set.
        on_error: ``GITML_ON_ERROR``: ``raise``, or ``warn`` where a training goes on although
            something cannot be logged.
    """

    tracking_uri: str | None = None
    experiment_name: str | None = None
    run_id: str | None = None
    allow_pickles: bool | None = None
    on_error: str = "raise"


def environment() -> Environment:
    """Read the environment variables."""
    allow = os.environ.get("GITML_ALLOW_PICKLES")
    on_error = os.environ.get("GITML_ON_ERROR")
    return Environment(
        tracking_uri=os.environ.get("GITML_TRACKING_URI") or None,
        experiment_name=os.environ.get("GITML_EXPERIMENT_NAME") or None,
        run_id=os.environ.get("GITML_RUN_ID") or None,
        allow_pickles=None if allow is None else allow.lower() in ("1", "true", "yes"),
        on_error="warn" if on_error and on_error.lower() == "warn" else "raise",
    )


def child_environment(**changes: str | None) -> dict[str, str]:
    """The environment for a program that we start: ours, with changes; None removes a variable."""
    changed = {**os.environ, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def load(root: Path | None) -> Settings:
    """Read ``gitml.yaml`` below a work tree's root; the defaults where there is none.

    Raises:
        InvalidInput: It is not YAML, or a key or a value is not one we know.
    """
    path = root / FILE_NAME if root else None
    if path is None or not path.is_file():
        return Settings()
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{FILE_NAME} cannot be read: {_one_line(error)}.") from error
    settings: Settings = _fill(Settings(), {} if value is None else value, "")
    if settings.site.run_pages < 0:
        raise InvalidInput(f"{FILE_NAME}: site.run_pages is {settings.site.run_pages}, not 0 up.")
    return settings


def _fill(settings: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidInput(f"{FILE_NAME}: {where or 'the file'} is not a mapping of keys.")
    known = {item.name: getattr(settings, item.name) for item in fields(settings)}
    changes = {}
    for key, new in value.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise InvalidInput(
                f"{FILE_NAME}: unknown key {name!r}.", hint=f"Known: {', '.join(known)}."
            )
        old = known[key]
        if isinstance(old, SiteSettings):
            changes[key] = _fill(old, new, name)
        elif type(new) is not type(old):
            raise InvalidInput(
                f"{FILE_NAME}: {name} is {new!r:.60}, not a {type(old).__name__} value.",
                hint="YAML takes what follows # for a comment: put the value in quotes."
                if new is None
                else None,
            )
        else:
            changes[key] = new
    return replace(settings, **changes)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
