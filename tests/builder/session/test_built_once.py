"""One build for all threads that ask for an image."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_zlayer.builder.session.built_once import BuiltOnce
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.waiting import in_background
from tests.interruptions import interruptions

IMAGE: Any = object()


def nothing() -> None:
    """Neither check nor wait."""


def failing(error: BaseException) -> Callable[[], Any]:
    def build() -> Any:
        raise error

    return build


@pytest.fixture
def images() -> BuiltOnce:
    return BuiltOnce(nothing)


class Held:
    """A build that goes on until the test ends it."""

    def __init__(self, images: BuiltOnce, pool: ThreadPoolExecutor) -> None:
        self._error: BaseException | None = None
        self._begun, self._end = threading.Event(), threading.Event()
        self.result = pool.submit(images.get, "key", self._build, nothing)
        assert self._begun.wait(60)

    def _build(self) -> Any:
        self._begun.set()
        assert self._end.wait(60)
        if self._error is not None:
            raise self._error
        return IMAGE

    def end(self, error: BaseException | None = None) -> None:
        self._error = error
        self._end.set()


def test_an_image_is_built_once(images: BuiltOnce) -> None:
    assert "key" not in images
    assert images.get("key", lambda: IMAGE, nothing) is IMAGE
    assert "key" in images
    assert images.get("key", failing(AssertionError()), failing(AssertionError())) is IMAGE


def test_others_wait_for_the_thread_that_builds(images: BuiltOnce) -> None:
    with ThreadPoolExecutor() as pool:
        first = Held(images, pool)
        assert images.get("key", failing(AssertionError()), first.end) is IMAGE
        assert first.result.result() is IMAGE


def test_a_failure_is_the_same_for_all(images: BuiltOnce) -> None:
    failure = UsageError("no")
    with ThreadPoolExecutor() as pool:
        first = Held(images, pool)
        with pytest.raises(UsageError) as found:
            images.get("key", lambda: IMAGE, lambda: first.end(failure))
        assert found.value is failure
        assert first.result.exception() is failure
    with pytest.raises(UsageError):
        images.get("key", lambda: IMAGE, nothing)


def test_what_stops_one_thread_stops_no_other(images: BuiltOnce) -> None:
    with ThreadPoolExecutor() as pool:
        first = Held(images, pool)
        found = images.get("key", lambda: IMAGE, lambda: first.end(KeyboardInterrupt()))
        assert found is IMAGE
        assert isinstance(first.result.exception(), KeyboardInterrupt)


def test_a_failure_can_be_forgotten(images: BuiltOnce) -> None:
    with pytest.raises(UsageError):
        images.get("key", failing(UsageError("no")), nothing)
    images.forget_failure("key")
    assert images.get("key", lambda: IMAGE, nothing) is IMAGE


def test_only_a_failure_is_forgotten(images: BuiltOnce) -> None:
    images.forget_failure("key")
    with ThreadPoolExecutor() as pool:
        first = Held(images, pool)
        images.forget_failure("key")
        assert "key" in images
        first.end()
    images.forget_failure("key")
    assert "key" in images


def test_nothing_is_given_once_there_are_to_be_no_more() -> None:
    images = BuiltOnce(failing(ZlayerError("over")))
    with pytest.raises(ZlayerError, match="over"):
        images.get("key", lambda: IMAGE, nothing)
    assert "key" not in images


def test_who_waited_for_a_build_that_was_stopped_asks_again_whether_to_build() -> None:
    over: list[ZlayerError] = []

    def check() -> None:
        if over:
            raise over[0]

    images = BuiltOnce(check)
    with ThreadPoolExecutor() as pool:
        first = Held(images, pool)

        def stop() -> None:
            over.append(ZlayerError("over"))
            first.end(KeyboardInterrupt())

        with pytest.raises(ZlayerError, match="over"):
            images.get("key", failing(AssertionError()), stop)


@pytest.mark.parametrize("error", [None, UsageError("no")], ids=["built", "failed"])
def test_who_is_interrupted_anywhere_leaves_nobody_waiting(
    images: BuiltOnce, error: UsageError | None
) -> None:
    keys = itertools.count()
    key = next(keys)

    def get() -> None:
        if error is None:
            images.get(key, lambda: IMAGE, nothing)
        else:
            with pytest.raises(UsageError):
                images.get(key, failing(error), nothing)

    for where in interruptions(get):
        images.forget_failure(key)
        found = in_background(lambda key=key: images.get(key, lambda: IMAGE, nothing), "other")
        assert found.result(90) is IMAGE, where
        key = next(keys)
