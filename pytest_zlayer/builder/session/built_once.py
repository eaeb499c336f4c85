"""Images that are built once each, however many threads ask for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.waiting import Outcome, work_once

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image


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

        def join(mine: Outcome[Image]) -> Outcome[Image]:
            self._check()
            with self._guard:
                image = self._images.setdefault(key, mine)
            if image is not mine and not image.is_known:
                waiting()
            return image

        def work(mine: Outcome[Image]) -> None:
            # Anything else, like Ctrl-C or the time limit of a test, concerns nobody else.
            try:
                mine.give(build())
            except ZlayerError as error:
                mine.fail(error)

        def forget(mine: Outcome[Image]) -> None:
            with self._guard:
                if self._images.get(key) is mine:
                    del self._images[key]

        new: Callable[[], Outcome[Image]] = Outcome
        return work_once(new, join, work, forget=forget).result()

    def forget_failure(self, key: Hashable) -> None:
        """Let the image of ``key`` be built anew if that has failed."""
        with self._guard:
            image = self._images.get(key)
            if image is not None and image.error is not None:
                del self._images[key]
