"""Values made at first use, once, whatever number of threads ask for them.

``functools.cached_property`` has no lock since Python 3.12, ``functools.cache`` never had one: two
threads that meet there both make the value, and each goes on with its own.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, AnyStr, Generic, TypeVar, cast, overload

from pytest_zlayer.waiting import held

Value = TypeVar("Value")


class Lazy(Generic[Value]):
    """An attribute that is made at first use and then stays; see :func:`lazy`."""

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._lock_name = f"_lock of {name}"

    @overload
    def __get__(self, instance: None, owner: type) -> Lazy[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Lazy[Value] | Value:
        # Called only until the value is there: it hides a descriptor that cannot be set.
        if instance is None:
            return self
        made = vars(instance)
        with held(made.setdefault(self._lock_name, threading.RLock())):
            if self._name not in made:
                made[self._name] = self._make(instance)
        made.pop(self._lock_name, None)  # so that what has locks only now can be pickled and copied
        value: Value = made[self._name]
        return value


def lazy(make: Callable[[Any], Value]) -> Lazy[Value]:
    """Decorates a method: an attribute that is made at first use, by one thread.

    Each object has a lock for each such attribute. One may ask for another, but not in a circle.
    When making it fails, the next to ask tries again.
    """
    return Lazy(make)


# Held while a thread loads modules, by every function that imports some of this package:
# ``with LOADING:`` around the import, or a ``LazyModule`` where several functions need it. A fork
# waits for that: in the child nobody would finish loading what another thread of the parent had
# begun, and all who need it would wait for ever.
LOADING = threading.RLock()
os.register_at_fork(
    before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release
)


class LazyModule:
    """Stands for a module of this package, which is loaded when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, name: str) -> Any:
        if self._module is None:
            with LOADING:
                self._module = import_module(self._name)
        return getattr(self._module, name)


def late_name(package: str, homes: Mapping[str, str], name: str) -> Any:
    """What a package's ``__getattr__`` gives: a name that is loaded when it is first asked for.

    Args:
        package: the package.
        homes: the module in it, by name; or, for a module, the room it is in.
        name: what is asked for.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    with LOADING:
        home = import_module(f"{package}.{homes[name]}")
        if not hasattr(home, name):  # a module of the room
            return import_module(f"{home.__name__}.{name}")
    return getattr(home, name)


class LatePattern:
    """Stands for a regular expression, which is compiled when it is first used."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text: Any = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found


def late_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """``re.compile``, for the many of which a run uses few: compiling them all is not cheap."""
    return cast("re.Pattern[AnyStr]", LatePattern(text, flags))


def once(make: Callable[[], Value]) -> Callable[[], Value]:
    """The same for a function without arguments."""
    found: list[Value] = []
    lock = threading.Lock()

    def get() -> Value:
        with held(lock):
            if not found:
                found.append(make())
            return found[0]

    return get
