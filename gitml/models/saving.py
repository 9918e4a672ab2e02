"""A model directory written whole or not at all, the same way for every flavor."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from gitml.errors import AlreadyExists, InvalidInput, NotFound
from gitml.models.examples import save_example
from gitml.models.mlmodel import FILE_NAME, Model
from gitml.models.requirements import chosen_requirements, write_environment
from gitml.models.signature import ModelSignature, infer_signature

CODE_FOLDER = "code"


class SaveOptions(TypedDict, total=False):
    """What every flavor's save function takes, with MLflow's names.

    Attributes:
        signature: Schemas of input, output and parameters. Without one it is inferred from
            ``input_example``; ``False`` stores none.
        input_example: DataFrame, NumPy array or plain values, stored with the model.
        pip_requirements: Requirement lines, or a file of them, in place of the inferred ones.
        extra_pip_requirements: Lines, or a file of them, added to the inferred ones.
        code_paths: Python files and folders the model imports, stored with it.
        metadata: Anything YAML can carry, kept in the MLmodel file.
    """

    signature: ModelSignature | Literal[False] | None
    input_example: Any
    pip_requirements: str | Path | Sequence[str] | None
    extra_pip_requirements: str | Path | Sequence[str] | None
    code_paths: Sequence[str | Path] | None
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFlavor:
    """What a flavor wrote into a model folder.

    Attributes:
        flavors: Per flavor, what its loader needs to know.
        requirements: Distributions needed to load it.
        predict: Predicts from an input example; None where the model cannot.
    """

    flavors: Mapping[str, Mapping[str, Any]]
    requirements: Collection[str]
    predict: Callable[[Any], Any] | None = None


def refuse_unknown_options(given: Mapping[str, Any], kind: type) -> None:
    """Refuse what a function with typed options does not take; Python itself lets it through.

    Args:
        given: The options that were passed.
        kind: The ``TypedDict`` that describes them.

    Raises:
        InvalidInput: An option is unknown.
    """
    options = kind.__annotations__
    for name in given:
        if name not in options:
            raise InvalidInput(f"Unknown option {name!r}.", hint=f"Known: {', '.join(options)}.")


def write_model(
    path: str | Path, write: Callable[[Path, str | None], SavedFlavor], options: SaveOptions
) -> Model:
    """Write a model directory to ``path``, which must not exist or be empty.

    Args:
        path: The directory; its parents are made.
        write: Writes the flavor's files into a folder, given the name of the folder of
            additional modules there, and says what it wrote.
        options: What the user asked for.

    Raises:
        AlreadyExists: There is something at ``path``.
        InvalidInput: An option cannot be stored.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExists(f"{target} already exists.", hint="Give a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".saving-") as scratch:
        # A folder inside it, because the scratch folder itself is private to the user.
        folder = Path(scratch) / "model"
        folder.mkdir()
        model = _filled(folder, write, options)
        folder.replace(target)
    return model


def _filled(
    folder: Path, write: Callable[[Path, str | None], SavedFlavor], options: SaveOptions
) -> Model:
    code = _copy_code(folder, options.get("code_paths"))
    content = write(folder, code)
    example = options.get("input_example")
    info = None if example is None else save_example(folder, example)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    lines = chosen_requirements(
        _with_example(content.requirements, example),
        options.get("pip_requirements"),
        options.get("extra_pip_requirements"),
    )
    model = Model(
        flavors=content.flavors,
        signature=_signature(options.get("signature"), example, content.predict),
        saved_input_example_info=info,
        metadata=options.get("metadata"),
        model_size_bytes=size,
    )
    write_environment(folder, lines)
    model.save(folder / FILE_NAME)
    return model


def _with_example(requirements: Collection[str], example: Any) -> set[str]:
    root = type(example).__module__.partition(".")[0]
    return {*requirements, *({root} & {"numpy", "pandas"})}


def _signature(
    given: ModelSignature | Literal[False] | None,
    example: Any,
    predict: Callable[[Any], Any] | None,
) -> ModelSignature | None:
    if given is False:
        return None
    if given is not None or example is None:
        return given
    return infer_signature(example, predict(example) if predict else None)


def _copy_code(folder: Path, paths: Sequence[str | Path] | None) -> str | None:
    """Copy additional modules and return the name of their folder, None where there are none."""
    if not paths:
        return None
    if isinstance(paths, str | Path):
        raise InvalidInput(f"code_paths must be a list, not {paths!r}.", hint="Write [path].")
    code = folder / CODE_FOLDER
    code.mkdir()
    for source in map(Path, paths):
        copy_into(code, source.resolve())
    return CODE_FOLDER


def copy_into(folder: Path, source: Path) -> Path:
    """Copy a file or folder into ``folder`` and return the copy's path.

    Raises:
        NotFound: There is nothing at ``source``.
        InvalidInput: The folder already holds something of that name.
    """
    target = folder / source.name
    if target.exists():
        raise InvalidInput(f"Two of the paths are named {source.name!r}; names must differ.")
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    elif source.is_file():
        shutil.copy2(source, target)
    else:
        raise NotFound(f"No file or folder {source}.")
    return target


def python_function(loader_module: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of the flavor that every model has."""
    return {
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": loader_module,
        "python_version": platform.python_version(),
        **settings,
    }
