"""The environment of a model: what must be installed to load it, in MLflow's three files.

``requirements.txt`` lists what the model itself needs. It does not list the program that serves
it: whoever builds an environment adds gitml or MLflow (``mlflow models serve
--install-mlflow``), so that a model never drags either into the other's environment.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from gitml import redaction
from gitml.errors import NotFound
from gitml.formats import plain_yaml

_BUILD_TOOLS = ("pip", "setuptools", "wheel")


def pinned(distributions: Iterable[str]) -> list[str]:
    """Return ``name==version`` per installed distribution, sorted; others are left out."""
    versions = {name: _version(name) for name in distributions}
    return sorted(f"{name}=={version}" for name, version in versions.items() if version)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def distributions_of(modules: Iterable[str]) -> set[str]:
    """Return the installed distributions that provide modules; the standard library has none.

    >>> distributions_of(["json", "__main__"])
    set()
    """
    roots = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    roots -= {"__main__", "builtins"}
    return {name for root in roots for name in _distributions().get(root, [])[:1]}


def chosen_requirements(
    inferred: Iterable[str],
    pip_requirements: str | Path | Sequence[str] | None,
    extra_pip_requirements: str | Path | Sequence[str] | None,
) -> list[str]:
    """Return the lines of ``requirements.txt``, without the passwords of package indexes.

    Args:
        inferred: Distributions the model was found to need.
        pip_requirements: Lines, or a requirements file, used instead of the inferred ones.
        extra_pip_requirements: Lines, or a requirements file, added.

    Raises:
        NotFound: A requirements file does not exist.
    """
    given = pinned(inferred) if pip_requirements is None else _lines(pip_requirements)
    extra = [] if extra_pip_requirements is None else _lines(extra_pip_requirements)
    return list(dict.fromkeys(redaction.url(line) for line in [*given, *extra]))


def _lines(source: str | Path | Sequence[str]) -> list[str]:
    if not isinstance(source, str | Path):
        return [str(line) for line in source]
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise NotFound(f"The requirements file {source} cannot be read.") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def write_environment(folder: Path, lines: Sequence[str]) -> None:
    """Write ``requirements.txt``, ``python_env.yaml`` and ``conda.yaml`` into a model folder."""
    python = platform.python_version()
    tools = {name: _version(name) for name in _BUILD_TOOLS}
    build = [f"{name}=={version}" if version else name for name, version in tools.items()]
    virtual = {
        "python": python,
        "build_dependencies": build,
        "dependencies": ["-r requirements.txt"],
    }
    pip = f"pip<={tools['pip']}" if tools["pip"] else "pip"
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", pip, {"pip": list(lines)}],
        "name": "mlflow-env",
    }
    text = "".join(f"{line}\n" for line in lines)
    (folder / "requirements.txt").write_text(text, encoding="utf-8")
    _write_yaml(folder / "python_env.yaml", virtual)
    _write_yaml(folder / "conda.yaml", conda)


def _write_yaml(path: Path, content: object) -> None:
    path.write_text(plain_yaml.dump(content), encoding="utf-8")
