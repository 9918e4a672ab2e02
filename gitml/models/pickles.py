"""Load pickled models where the settings allow it: loading a pickle runs its writer's code."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput, MissingDependency
from gitml.models.mlmodel import file_inside


def require_pickles(allow_pickles: bool, what: str) -> None:
    """Refuse what would run code from a model folder, where the site forbids it.

    Args:
        allow_pickles: The site's setting; the caller reads it from the configuration.
        what: What would run code, such as ``model.pkl (cloudpickle)``.

    Raises:
        InvalidInput: Pickles are forbidden.
    """
    if not allow_pickles:
        raise InvalidInput(
            f"Loading {what} would run code stored with the model, which the settings forbid.",
            hint="Save it with serialization_format='skops', or set GITML_ALLOW_PICKLES=true "
            "if you trust whoever saved it.",
        )


def load_pickle(path: Path, *, serializer: str, allow_pickles: bool) -> Any:
    """Return the object in a pickle or cloudpickle file; **runs the code it holds**.

    Args:
        path: The file.
        serializer: ``pickle`` or ``cloudpickle``; named in errors.
        allow_pickles: The site's setting.

    Raises:
        InvalidInput: Pickles are forbidden, or the file is damaged.
        MissingDependency: The object needs a module that is not installed.
    """
    require_pickles(allow_pickles, f"{path.name} ({serializer})")
    try:
        with path.open("rb") as file:
            return pickle.load(file)  # cloudpickle's files need no other reader
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"The model in {path.name} needs the module {error.name!r}.",
            hint="Install what the requirements.txt beside it lists.",
        ) from error
    except (pickle.UnpicklingError, EOFError, AttributeError) as error:
        raise InvalidInput(f"{path.name} cannot be read as {serializer}: {error}.") from error


def add_code_folder(folder: Path, name: Any, *, allow_pickles: bool) -> None:
    """Make the modules saved with a model importable.

    Args:
        folder: The model folder.
        name: The code folder's name in the MLmodel file; None or empty where there is none.
        allow_pickles: The site's setting; the modules are code of whoever saved the model.

    Raises:
        InvalidInput: Such code is forbidden, or the folder lies outside the model.
        NotFound: The folder is missing.
    """
    if not name:
        return
    require_pickles(allow_pickles, f"the modules in {name}/")
    path = str(file_inside(folder, name))
    if path not in sys.path:
        sys.path.insert(0, path)
