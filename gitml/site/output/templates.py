"""Load templates and assets: a user's own folder first, then the built-in ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitml.errors import InvalidInput
from gitml.site.text import commands, formats

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).parents[1]  # gitml/site
_FOLDERS = (_PACKAGE / "_templates", _PACKAGE.parent.parent / "site_templates")
_ASSET = re.compile(r"assets/([\w-]{1,80}\.(?:css|js))", re.ASCII)  # no subfolders, no odd names
LIVE = "live.js"
NOTICES = "THIRD_PARTY.txt"
_RUN = "run_main.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Templates and assets of a site.

    Attributes:
        render: (template, values) → page.
        run: A run's page → the HTML of its main part.
        digest: Hash over every template and asset; changes when the look does.
        assets: Bytes of the style sheet and the scripts, by name.
        notices: Bytes of the licence texts of what is bundled.
    """

    render: Callable[[str, dict[str, object]], str]
    run: Callable[[object], str]
    digest: str
    assets: dict[str, bytes]
    notices: bytes


def load(own: Path | None = None, cache: Path | None = None) -> Templates:
    """Load the templates.

    Args:
        own: A user's folder; a file in it replaces the built-in one of the same name.
        cache: Where compiled built-in templates are cached; None for nowhere.

    Raises:
        InvalidInput: The folder does not exist.
    """
    if own is not None and not own.is_dir():
        raise InvalidInput(
            f"The template folder {own} does not exist.",
            hint="Change site.templates in gitml.yaml.",
        )
    built_in = next(folder for folder in _FOLDERS if folder.is_dir())
    folders = [own, built_in] if own else [built_in]
    environment = _environment(folders, cache)

    def source(name: str) -> bytes:
        assert environment.loader is not None
        return environment.loader.get_source(environment, name)[0].encode()

    names = sorted(environment.list_templates(filter_func=lambda name: "/." not in f"/{name}"))
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\0" + source(name) + b"\0")
    return Templates(
        render=lambda name, values: _used(
            name, lambda: environment.get_template(name).render(values)
        ),
        run=lambda page: _used(_RUN, lambda: _run_main(environment, page)),
        digest=total.hexdigest()[:16],
        assets={match[1]: source(match[0]) for match in map(_ASSET.fullmatch, names) if match},
        notices=source(f"assets/{NOTICES}"),
    )


def _run_main(environment: Environment, page: object) -> str:
    """Call the macro by itself, for there may be a hundred thousand runs."""
    macro: Callable[[object, str], str] = vars(environment.get_template(_RUN).module)["run_main"]
    return macro(page, "")


def _used(name: str, use: Callable[[], str]) -> str:
    import jinja2

    try:
        return use()
    except jinja2.TemplateError as error:
        position = f"{getattr(error, 'name', None) or name}, line {getattr(error, 'lineno', None)}"
        raise InvalidInput(
            f"Cannot render the template {position.removesuffix(', line None')}: {error.message}.",
            hint="Correct it in the folder that site.templates names.",
        ) from error


def _environment(folders: list[Path], cache: Path | None) -> Environment:
    import jinja2.sandbox

    # A user's templates came with the repository, and looking at it must run no code of it.
    # They are compiled to other code than ours, so that only ours is kept.
    kind = jinja2.sandbox.ImmutableSandboxedEnvironment if folders[1:] else jinja2.Environment
    bytecode = None
    if cache and not folders[1:]:
        cache.mkdir(parents=True, exist_ok=True)
        bytecode = jinja2.FileSystemBytecodeCache(str(cache))
    environment = kind(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=bytecode,
    )
    environment.filters |= {
        "moment": formats.moment,
        "iso": formats.iso,
        "clip": formats.clip,
        "number": formats.number,
        "fetch": lambda path, run_id: commands.download_file(run_id, path),
    }
    return environment
