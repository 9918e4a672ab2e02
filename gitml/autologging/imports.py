"""Call a function as soon as a module has been imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Watcher(MetaPathFinder):
    """Finds nothing itself; adds the action to what the other finders find."""

    def __init__(self, module: str, action: Callable[[], object]) -> None:
        self.module = module
        self.action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = _spec_of_others(self, fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _ActionLoader(spec.loader, self)
        return spec


class _ActionLoader(Loader):
    """Loads as another loader does, gives it its place back, and then does the action."""

    def __init__(self, inner: Loader, watcher: _Watcher) -> None:
        self._inner = inner
        self._watcher = watcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        forget(self._watcher.module)
        self._watcher.action()


def _spec_of_others(
    watcher: _Watcher, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if finder is not watcher and hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def when_imported(module: str, action: Callable[[], object]) -> None:
    """Call ``action`` once ``module`` is imported: now, or when that happens.

    Args:
        module: Full name of the module; asking again replaces the action.
        action: Must not raise; what it returns is ignored.
    """
    forget(module)
    if module in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _Watcher(module, action))


def forget(module: str) -> None:
    """Do nothing any more when ``module`` is imported."""
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not (isinstance(finder, _Watcher) and finder.module == module)
    ]
