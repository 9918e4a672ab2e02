from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from sklearn.utils.metaestimators import available_if

from gitml.autologging.patching import (
    PatchedMethod,
    Patches,
    subclasses,
    unwatch_subclasses,
    watch_subclasses,
)


def doubled(call: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> Any:
    return 2 * call(*args, **kwargs)


class Thing:
    def __init__(self, factor: int = 1, able: bool = True) -> None:
        self.factor = factor
        self.able = able

    def work(self, value: int, *, plus: int = 0) -> int:
        """Work."""
        return value * self.factor + plus

    @available_if(lambda self: self.able)
    def maybe(self, value: int) -> int:
        return value


@pytest.fixture
def patches() -> Any:
    patches = Patches()
    patches.add(Thing, "work", doubled)
    patches.add(Thing, "maybe", doubled)
    yield patches
    patches.undo()


def test_patched_method_runs_the_wrapper(patches: Patches) -> None:
    assert Thing(3).work(2, plus=1) == 14
    assert Thing.work(Thing(3), 2) == 12
    assert Thing().maybe(5) == 10


def test_patching_twice_is_patching_once(patches: Patches) -> None:
    patches.add(Thing, "work", doubled)
    assert Thing(3).work(2) == 12


def test_a_patched_method_looks_like_the_original(patches: Patches) -> None:
    assert str(inspect.signature(Thing().work)) == "(value: 'int', *, plus: 'int' = 0) -> 'int'"
    assert inspect.isfunction(Thing.work)
    assert Thing.work.__doc__ == "Work."


def test_a_method_that_is_not_available_stays_so(patches: Patches) -> None:
    assert not hasattr(Thing(able=False), "maybe")


def test_undoing_puts_the_very_originals_back() -> None:
    before = dict(vars(Thing))
    patches = Patches()
    for name in ("work", "maybe", "no_such_method"):
        patches.add(Thing, name, doubled)
    assert isinstance(vars(Thing)["work"], PatchedMethod)
    patches.undo()
    assert dict(vars(Thing)) == before


def test_a_class_pickled_by_value_carries_the_original(patches: Patches) -> None:
    namespace = {"__name__": "__main__"}
    exec("class Local:\n    def work(self): return 1\n", namespace)
    local: Any = namespace["Local"]
    patches.add(local, "work", doubled)
    assert local().work() == 2
    data = cloudpickle.dumps(local())
    assert b"gitml" not in data
    assert pickle.loads(data).work() == 1


def test_new_subclasses_are_seen_until_unwatched() -> None:
    seen: list[type] = []

    class Base:
        hooked: list[type] = []

        def __init_subclass__(cls) -> None:
            cls.hooked.append(cls)

    before = vars(Base)["__init_subclass__"]
    watch_subclasses(Base, seen.append)
    watch_subclasses(Base, seen.append)

    class First(Base): ...

    unwatch_subclasses(Base)

    class Second(First): ...

    assert seen == [First]
    assert Base.hooked == [First, Second]
    assert vars(Base)["__init_subclass__"] is before
    assert list(subclasses(Base)) == [First, Second]
