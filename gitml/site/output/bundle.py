"""Bundle Vega as one script without globals, and minify our own scripts and styles.

vl_convert is the bundler. Two traps of its own bundle of Vega are avoided by handing it our own
snippet: its ``window.vega`` is null, and it leaves thousands of names in the global scope.
Expressions run in vega-interpreter, so that the pages' content security policy needs no
``unsafe-eval``, and the loader is switched off, so that no specification can fetch anything.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from gitml import files
from gitml.errors import InvalidInput
from gitml.site.output import workers

INTERPRETER = "2.0.0"  # the one inside vl_convert 1.9; it has no API that tells

_SNIPPET = """
import {View, parse, loader, changeset} from "https://cdn.jsdelivr.net/npm/vega@VEGA/+esm";
import {expressionInterpreter as expr}
  from "https://cdn.jsdelivr.net/npm/vega-interpreter@INTERPRETER/+esm";
const off = Object.assign(loader(), {load: () => Promise.reject(Error("loading is off"))});
// A chart is made in three steps, so that keys and the pointer need not wait for all of it.
const breath = () => new Promise(go => setTimeout(go));
window.gitmlChart = async (el, spec, {values = {}, signals = {}, name} = {}) => {
  const view = new View(parse(spec, null, {ast: true}), {expr, loader: off, logLevel: 1});
  if (name) view.description(name);
  const data = some => { for (const [name, rows] of Object.entries(some)) view.data(name, rows); };
  const tell = some => { for (const [name, now] of Object.entries(some)) view.signal(name, now); };
  await breath();
  data(values);
  tell(signals);
  await view.runAsync();
  await breath();
  await view.renderer("canvas").initialize(el).runAsync();
  return {
    data: some => { data(some); return view.runAsync(); },
    modify: (name, field, value, others = {}) => {
      data(others);
      return view.change(name, changeset()
        .modify(row => row[field] !== value(row), field, value)).runAsync();
    },
    signals: some => { tell(some); return view.runAsync(); },
    room: padding => view.padding(padding).runAsync(),
    svg: () => view.toSVG(),
    canvas: scale => view.toCanvas(scale),
    close: () => view.finalize(),
  };
};
""".replace("INTERPRETER", INTERPRETER)


def vega(folder: Path | None = None) -> bytes:
    """Return the script that defines ``gitmlChart``.

    Args:
        folder: Where bundles are cached between processes; bundling takes about a second.
    """
    return f'(()=>{{"use strict";{_bundle(_SNIPPET, folder)}}})();\n'.encode()


@contextlib.contextmanager
def begun(folder: Path | None) -> Iterator[None]:
    """Bundle Vega in another process unless it is cached; :func:`vega` waits for it.

    Args:
        folder: Where bundles are cached; None for nowhere.
    """
    if folder is None or _cached_path(_SNIPPET, folder).is_file():
        yield
        return
    with workers.run_aside(lambda: vega(folder)):
        yield


def scripts(files: Mapping[str, bytes], folder: Path | None = None) -> dict[str, bytes]:
    """Minify classic scripts: drop comments and white space, shorten local names.

    Args:
        files: Name → source.
        folder: Where results are cached between processes.

    Raises:
        InvalidInput: A script has a syntax error.
    """
    minified = _minified("application/javascript", files)
    return _stripped(files, folder) if minified is None else minified


def styles(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Minify style sheets.

    Args:
        files: Name → source; returned as they are where there is no minifier.

    Raises:
        InvalidInput: A style sheet has a syntax error.
    """
    return _minified("text/css", files) or dict(files)


def _minified(kind: str, files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """Minify files of a MIME type; None where there is no minifier."""
    try:
        import minify
    except ImportError:  # there is no wheel for Macs
        return None
    minified = {}
    for name, source in files.items():
        try:
            text = minify.string(kind, source.decode())
        except minify.MinifyError as error:
            raise _broken(f"assets/{name}", error) from error
        minified[name] = f"{text}\n".encode()
    return minified


def _stripped(files: Mapping[str, bytes], folder: Path | None) -> dict[str, bytes]:
    """Drop comments and white space from classic scripts.

    All go through the bundler at once, with their names as string statements between them,
    because starting it costs more than what it does.
    """
    marks = [f'"gitml script {number}";' for number in range(len(files))]
    joined = "".join(
        f"{mark}\n{source.decode()}\n" for mark, source in zip(marks, files.values(), strict=True)
    )
    left = _bundle(joined, folder)
    small = {}
    for name, mark, after in zip(files, marks, [*marks[1:], None], strict=True):
        _, _, left = left.partition(mark)
        code = left.partition(after)[0] if after else left
        small[name] = f"{code}\n".encode()
    return small


def _bundle(snippet: str, folder: Path | None) -> str:
    if folder is None:
        return _run(snippet)
    path = _cached_path(snippet, folder)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    with files.exclusive(path.with_suffix(".lock")):  # a second build waits for the first
        if not path.is_file():
            files.replace(path, _run(snippet).encode(), durable=False)
    return path.read_text(encoding="utf-8")


def _cached_path(snippet: str, folder: Path) -> Path:
    key = f"{metadata.version('vl-convert-python')}\n{snippet}"
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.js"


@cache
def _run(snippet: str) -> str:
    import vl_convert

    version = vl_convert.get_vega_version()
    snippet = snippet.replace("@VEGA/", f"@{version}/")
    try:
        return str(vl_convert.javascript_bundle(snippet))
    except (RuntimeError, ValueError) as error:
        raise _broken("the scripts", error) from error


def _broken(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"Cannot minify {name}: {str(error).strip().partition(chr(10))[0]}.",
        hint="Correct the assets in the folder that site.templates names.",
    )
