"""Images that are built once each, however many threads ask for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING

from pytest_zlayer.errors import ZlayerError

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image


class BuiltOnce:
    """What was built or is being built, or why that failed. Safe for several threads.

    Args:
        check: called before an image is built or given; raises when there are to be no more.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._images: dict[Hashable, Future[Image]] = {}
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
            future, is_new = self._begun(key)
            if is_new:
                return self._build_for_all(key, future, build)
            if not future.done():
                waiting()
            with contextlib.suppress(CancelledError):  # who built it was stopped: build it here
                return future.result()

    def _begun(self, key: Hashable) -> tuple[Future[Image], bool]:
        """What will be the image of ``key``, and whether nobody has begun to build it yet."""
        with self._guard:
            future = self._images.get(key)
            if future is not None:
                return future, False
            future = self._images[key] = Future()
            return future, True

    def _build_for_all(
        self, key: Hashable, future: Future[Image], build: Callable[[], Image]
    ) -> Image:
        try:
            image = build()
        except ZlayerError as error:
            future.set_exception(error)
            raise
        except BaseException:
            # Ctrl-C or the time limit of a test: it concerns nobody else, and no other test.
            with self._guard:
                del self._images[key]
            future.cancel()
            raise
        future.set_result(image)
        return image

    def forget_failure(self, key: Hashable) -> None:
        """Let the image of ``key`` be built anew if that has failed."""
        with self._guard:
            future = self._images.get(key)
            if future is not None and future.done() and future.exception() is not None:
                del self._images[key]
