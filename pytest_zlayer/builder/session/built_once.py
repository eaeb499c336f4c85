"""Images that are built once each, however many threads ask for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.waiting import Outcome

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image


class _GivenUp(Exception):
    """Who built an image was stopped."""


class BuiltOnce:
    """What was built or is being built, or why that failed. Safe for several threads.

    Args:
        check: called before an image is built or given; raises when there are to be no more.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._images: dict[Hashable, Outcome[Image]] = {}
        self._guard = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        """Whether somebody has begun to build the image of ``key``."""
        return key in self._images

    def get(self, key: Hashable, build: Callable[[], Image], waiting: Callable[[], None]) -> Image:
        """The image of ``key``.

        Args:
            key: equal for equal images.
            build: builds the image; called if nobody else has begun to.
            waiting: called before the end of another thread's build is waited for.

        Raises:
            ZlayerError: building it has failed, here or in another thread.
            Whatever ``check`` raises.
        """
        while True:
            self._check()
            mine: Outcome[Image] = Outcome()
            try:
                with self._guard:
                    image = self._images.setdefault(key, mine)
                if image is mine:
                    self._build(mine, build)
            finally:
                if not mine.is_known:
                    self._give_up(key, mine)
            if not image.is_known:
                waiting()
            with contextlib.suppress(_GivenUp):  # build it here
                return image.result()

    @staticmethod
    def _build(mine: Outcome[Image], build: Callable[[], Image]) -> None:
        try:
            mine.give(build())
        except ZlayerError as error:
            mine.fail(error)

    def _give_up(self, key: Hashable, mine: Outcome[Image]) -> None:
        """Ctrl-C or the time limit of a test concerns nobody else, and no other test."""
        with self._guard:
            if self._images.get(key) is mine:
                del self._images[key]
        mine.fail(_GivenUp())

    def forget_failure(self, key: Hashable) -> None:
        """Let the image of ``key`` be built anew if that has failed."""
        with self._guard:
            image = self._images.get(key)
            if image is not None and image.error is not None:
                del self._images[key]
