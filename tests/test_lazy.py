"""Values that are made once, at first use, by whichever thread comes first."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import pkgutil
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

import pytest_zlayer
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.lazy import LatePattern, LazyModule, late_pattern, lazy, once

THREADS = 4
EVERYBODY = 0.2  # seconds in which all threads reach what is being made


class Shelf:
    def __init__(self) -> None:
        self.made = 0
        self.begun = threading.Event()

    @lazy
    def book(self) -> object:
        """A book."""
        self.made += 1
        self.begun.wait(EVERYBODY)  # nobody sets it: time for the others to get here
        return object()

    @lazy
    def pair(self) -> tuple[object, object]:
        return self.book, self.book


def asked_at_once(ask: Callable[[], object]) -> list[object]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [one.result() for one in [pool.submit(ask) for _ in range(THREADS)]]


def test_threads_that_meet_get_one_value() -> None:
    shelf = Shelf()
    found = asked_at_once(lambda: shelf.pair)
    assert (len(set(found)), shelf.made) == (1, 1)


def test_each_object_has_its_own() -> None:
    assert Shelf().book is not Shelf().book


def test_the_class_gives_the_description() -> None:
    assert Shelf.book.__doc__ == "A book."


def test_what_could_not_be_made_is_tried_again() -> None:
    class Stubborn:
        asked = 0

        @lazy
        def value(self) -> int:
            self.asked += 1
            return 10 // (self.asked - 1)

    one = Stubborn()
    with pytest.raises(ZeroDivisionError):
        _ = one.value
    assert (one.value, one.value, one.asked) == (10, 10, 2)


class Plain:
    @lazy
    def value(self) -> list[int]:
        return [1]


def test_an_object_can_still_be_copied_and_pickled() -> None:
    one = Plain()
    assert one.value == [1]
    assert pickle.loads(pickle.dumps(one)).value == [1]  # noqa: S301
    assert copy.deepcopy(one).value == [1]


def test_a_function_is_called_once() -> None:
    calls: list[int] = []

    @once
    def value() -> int:
        calls.append(1)
        threading.Event().wait(EVERYBODY)
        return len(calls)

    assert (set(asked_at_once(value)), len(calls)) == ({1}, 1)


def test_what_a_session_shares_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(path: Path) -> None:
        threading.Event().wait(EVERYBODY)
        path.mkdir()

    monkeypatch.setattr("pytest_zlayer.builder.session.resources._make", slowly)
    resources = SessionResources(BuildOptions(), "s")
    engine = SimpleNamespace(tmpdir=tmp_path)
    monkeypatch.setattr(SessionResources, "engine", engine)
    assert set(asked_at_once(lambda: resources.scratch)) == {tmp_path / "zlayer"}


def test_a_pattern_is_compiled_once_when_it_is_used() -> None:
    wrong = late_pattern("(")
    with pytest.raises(re.error):
        wrong.match("x")
    right = late_pattern("(a)b", re.IGNORECASE)
    found = right.fullmatch("AB")
    assert found is not None
    assert (found[1], right.match is right.match) == ("A", True)


def test_every_pattern_of_the_package_can_be_compiled() -> None:
    names = [one.name for one in pkgutil.walk_packages(pytest_zlayer.__path__, "pytest_zlayer.")]
    names = [name for name in names if not name.endswith("__main__") and ".agent" not in name]
    values = [one for name in names for one in vars(importlib.import_module(name)).values()]
    patterns = [one for one in values if isinstance(one, LatePattern)]
    assert len(patterns) > 50
    for one in patterns:
        assert one.pattern is not None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_nobody_forks_while_a_module_is_being_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the child no thread would finish loading it."""
    (tmp_path / "loaded_slowly.py").write_text("import time\ntime.sleep(0.5)\nvalue = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = LazyModule("loaded_slowly")
    thread = threading.Thread(target=lambda: module.value)
    thread.start()
    while "loaded_slowly" not in sys.modules:
        time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os._exit(0 if module.value == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    thread.join()
