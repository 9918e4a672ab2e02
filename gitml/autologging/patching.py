"""Methods of other libraries' classes replaced, and put back without a trace."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Around(Protocol):
    """What runs in place of a patched method, and decides when the method itself runs."""

    def __call__(self, call: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the method returns; ``call`` is the method bound to ``instance``."""
        ...


class PatchedMethod:
    """A method with something around it.

    A descriptor rather than a function, for two reasons: the original may itself be a descriptor
    that hides the method on some instances, and a class that is pickled by value must carry the
    original, so that a model loads where gitml is not installed.

    Args:
        original: What the class had.
        around: What runs in its place.
    """

    def __init__(self, original: Any, around: Around) -> None:
        self.original = original
        self._around = around

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return the method bound to ``instance``, or the plain function of the class."""
        bound = self.original.__get__(instance, owner)
        if instance is None:

            @functools.wraps(bound)
            def of_class(instance: Any, *args: Any, **kwargs: Any) -> Any:
                method = self.original.__get__(instance, owner)
                return self._around(method, instance, *args, **kwargs)

            return of_class

        @functools.wraps(bound)
        def of_instance(*args: Any, **kwargs: Any) -> Any:
            return self._around(bound, instance, *args, **kwargs)

        return of_instance

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the original, in terms of the standard library only."""
        return next, (iter((self.original,)),)


class _SubclassHook(classmethod):  # type: ignore[type-arg]
    """The ``__init_subclass__`` of a watched class; holds what was there before, or None."""

    def __init__(self, cls: Any, action: Callable[[type], None]) -> None:
        self.previous = previous = vars(cls).get("__init_subclass__")

        def init_subclass(subclass: type, **kwargs: Any) -> None:
            if previous is None:
                super(cls, subclass).__init_subclass__(**kwargs)  # type: ignore[misc]
            else:
                previous.__get__(None, subclass)(**kwargs)
            action(subclass)

        super().__init__(init_subclass)


def watch_subclasses(cls: type, action: Callable[[type], None]) -> None:
    """Call ``action`` with each subclass of ``cls`` that is defined from now on."""
    if not isinstance(vars(cls).get("__init_subclass__"), _SubclassHook):
        # Through type: the attribute is a method to everyone else.
        type.__setattr__(cls, "__init_subclass__", _SubclassHook(cls, action))


def unwatch_subclasses(cls: type) -> None:
    """Undo :func:`watch_subclasses`."""
    hook = vars(cls).get("__init_subclass__")
    if not isinstance(hook, _SubclassHook):
        return
    type.__delattr__(cls, "__init_subclass__")
    if hook.previous is not None:
        type.__setattr__(cls, "__init_subclass__", hook.previous)


def subclasses(cls: Any) -> Iterator[type]:
    """Yield every class below ``cls`` that is defined so far."""
    for below in cls.__subclasses__():
        yield below
        yield from subclasses(below)


class Patches:
    """The methods that are patched at present."""

    def __init__(self) -> None:
        self._originals: weakref.WeakKeyDictionary[type, dict[str, Any]] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, cls: type, name: str, around: Around) -> None:
        """Patch a method that ``cls`` itself defines; patching twice changes nothing."""
        original = vars(cls).get(name)
        if original is None or isinstance(original, PatchedMethod):
            return
        self._originals.setdefault(cls, {})[name] = original
        setattr(cls, name, PatchedMethod(original, around))

    def undo(self) -> None:
        """Put every original back."""
        for cls, methods in list(self._originals.items()):
            for name, original in methods.items():
                setattr(cls, name, original)
        self._originals.clear()
