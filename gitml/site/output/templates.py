"""Load templates and assets: a user's own folder first, then the built-in ones."""

from __future__ import annotations

import functools
import hashlib
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitml import files
from gitml.errors import InvalidInput
from gitml.site.text import commands, formats

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_PACKAGE = Path(__file__).parents[1]  # gitml/site
_FOLDERS = (_PACKAGE / "_templates", _PACKAGE.parent.parent / "site_templates")
_ASSET = re.compile(r"assets/([\w-]{1,80}\.(?:css|js))", re.ASCII)  # no subfolders, no odd names
LIVE = "live.js"
NOTICES = "THIRD_PARTY.txt"
_RUN = "run_main.html"
_MOST_FILES, _LARGEST_FILE = 1_000, 2**20  # of a user's folder
_LARGEST_PAGE = 100_000_000  # characters; ours have at most a few million
_MOST_NUMBERS = 10_000_000  # that range gives in a build, or nested loops would take for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Templates and assets of a site.

    Attributes:
        render: (template, values) → page.
        built_in: The same without the user's templates, so that it does not fail.
        run: A run's page → the HTML of its main part.
        digest: Hash over every template and asset; changes when the look does.
        assets: Bytes of the style sheet and the scripts, by name.
        notices: Bytes of the licence texts of what is bundled.
    """

    render: Callable[[str, dict[str, object]], str]
    built_in: Callable[[str, dict[str, object]], str]
    run: Callable[[object], str]
    digest: str
    assets: dict[str, bytes]
    notices: bytes


def load(own: Path | None = None, cache: Path | None = None, root: Path | None = None) -> Templates:
    """Load the templates.

    Args:
        own: A user's folder; a file in it replaces the built-in one of the same name.
        cache: Where compiled built-in templates are cached; None for nowhere.
        root: Folder that symbolic links in the user's folder must not leave; None for that folder.

    Raises:
        InvalidInput: The folder does not exist, or a file in it leads elsewhere or is too large.
    """
    if own is not None and not own.is_dir():
        raise InvalidInput(
            f"The template folder {own} does not exist.",
            hint="Change site.templates in gitml.yaml.",
        )
    built_in = next(folder for folder in _FOLDERS if folder.is_dir())
    environment = _environment(built_in, cache, _own_files(own, root or own) if own else None)

    built = functools.cache(lambda: _environment(built_in, cache) if own else environment)

    def source(name: str) -> bytes:
        assert environment.loader is not None
        return environment.loader.get_source(environment, name)[0].encode()

    names = sorted(environment.list_templates(filter_func=lambda name: "/." not in f"/{name}"))
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\0" + source(name) + b"\0")
    return Templates(
        render=lambda name, values: _used(
            name, lambda: _rendered(environment.get_template(name), values), own
        ),
        built_in=lambda name, values: built().get_template(name).render(values),
        run=lambda page: _used(_RUN, lambda: _run_main(environment, page), own),
        digest=total.hexdigest()[:16],
        assets={match[1]: source(match[0]) for match in map(_ASSET.fullmatch, names) if match},
        notices=source(f"assets/{NOTICES}"),
    )


def _run_main(environment: Environment, page: object) -> str:
    """Call the macro by itself, for there may be a hundred thousand runs."""
    macro: Callable[[object, str], str] = vars(environment.get_template(_RUN).module)["run_main"]
    return macro(page, "")


class _Numbers:
    """What a user's templates use for ``range``: loops in loops end."""

    def __init__(self) -> None:
        self._left = _MOST_NUMBERS

    def range(self, *args: int) -> range:
        """Return the numbers.

        Raises:
            ValueError: Templates took too many of them.
        """
        numbers = range(*args)
        self._left -= len(numbers)
        if self._left < 0:
            raise ValueError(f"range gave more than {_MOST_NUMBERS:,} numbers")
        return numbers


def _rendered(template: Template, values: dict[str, object]) -> str:
    """Render a template up to a size: one of the user may loop."""
    chunks, size = [], 0
    for chunk in template.generate(values):
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST_PAGE:
            raise InvalidInput(
                f"The template {template.name} makes a page of more than "
                f"{_LARGEST_PAGE // 1_000_000} MB.",
                hint="Correct it in the folder that site.templates names.",
            )
    return "".join(chunks)


def _used(name: str, use: Callable[[], str], own: Path | None) -> str:
    """Use a template; any error of one that the user may have replaced is an error of the user."""
    import jinja2

    errors = (Exception,) if own else (jinja2.TemplateError,)
    try:
        return use()
    except InvalidInput:
        raise
    except errors as error:
        position = _position(error, own) or name
        message = getattr(error, "message", None) or str(error) or type(error).__name__
        raise InvalidInput(
            f"Cannot render the template {position}: {message.rstrip('.')}.",
            hint="Correct it in the folder that site.templates names.",
        ) from error


def _position(error: Exception, own: Path | None) -> str:
    """Return the template and the line where an error arose; empty if neither is known."""
    name, line = getattr(error, "name", None), getattr(error, "lineno", None)
    if name and line:
        return f"{name}, line {line}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if own and Path(frame.filename).is_relative_to(own):
            return f"{Path(frame.filename).relative_to(own)}, line {frame.lineno}"
    return ""


def _own_files(folder: Path, root: Path | None) -> dict[str, tuple[str, str]]:
    """Read a user's templates: name → text and path."""
    sources = {}
    for path in sorted(folder.rglob("*"))[:_MOST_FILES]:
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or "/." in f"/{name}":
            continue
        data = files.read_contained(root or folder, path, _LARGEST_FILE, f"The template {name}")
        try:
            sources[name] = (data.decode("utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise InvalidInput(f"The template {name} is not UTF-8 text.") from error
    return sources


def _environment(
    built_in: Path, cache: Path | None, own: Mapping[str, tuple[str, str]] | None = None
) -> Environment:
    """Make an environment.

    Args:
        built_in: Folder of the built-in templates.
        cache: Where they are cached when compiled.
        own: Templates of the user, by name: text and path.
    """
    import jinja2.sandbox

    class OwnLoader(jinja2.BaseLoader):
        """Loads what was read of the user's folder."""

        def get_source(
            self, environment: Environment, template: str
        ) -> tuple[str, str, Callable[[], bool]]:
            if template not in (own or {}):
                raise jinja2.TemplateNotFound(template)
            return *(own or {})[template], lambda: True

        def list_templates(self) -> list[str]:
            return list(own or {})

    # A user's templates came with the repository, and looking at it must run no code of it.
    # They are compiled to other code than ours, so that only ours is kept.
    kind = jinja2.Environment if own is None else jinja2.sandbox.ImmutableSandboxedEnvironment
    bytecode = None
    if cache and own is None:
        cache.mkdir(parents=True, exist_ok=True)
        bytecode = jinja2.FileSystemBytecodeCache(str(cache))
    environment = kind(
        loader=jinja2.ChoiceLoader([OwnLoader(), jinja2.FileSystemLoader(str(built_in))]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=bytecode,
    )
    if own is not None:
        environment.globals["range"] = _Numbers().range
    environment.filters |= {
        "moment": formats.moment,
        "param": formats.param,
        "iso": formats.iso,
        "clip": formats.clip,
        "number": formats.number,
        "fetch": lambda path, run_id: commands.download_file(run_id, path),
    }
    return environment
