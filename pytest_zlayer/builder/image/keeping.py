"""Which images and containers stay after a session: those of tests that failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_zlayer.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.image_like import ImageLike
    from pytest_zlayer.builder.image.kept import Kept
    from pytest_zlayer.builder.model.errors import BuildError


@dataclass(frozen=True, slots=True)
class Use:
    """How a container or service ends.

    Attributes:
        name: what people call it; a container goes by its image.
        number: how many had begun before.
        keep: ends it and keeps it, named after what it is given.
        remove: ends it and removes it.
    """

    name: str
    number: int
    keep: Callable[[str], Kept]
    remove: Callable[[], None]


class Keeping:
    """What containers and services become when they end. Safe for several threads.

    One that ends by an exception waits for the end of the test, which may have expected it.

    Args:
        wanted: whether anything is to stay at all.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self.images: list[tuple[ImageLike, str]] = []
        self._causes: list[tuple[BaseException, str]] = []
        self.kept: list[Kept] = []
        self.count = 0
        self._uses: dict[object, Use] = {}
        self._labels: dict[object, str] = {}
        self._undecided: list[Use] = []
        self._guard = threading.Lock()

    def begin(
        self, user: object, name: str, keep: Callable[[str], Kept], remove: Callable[[], None]
    ) -> None:
        """A container or service begins."""
        with self._guard:
            self._uses[user] = Use(name, self.count, keep, remove)
            self.count += 1

    def end(self, user: object, *, raised: bool = False) -> None:
        """It ends; ``raised``: by an exception."""
        with self._guard:
            use = self._uses.pop(user, None)
            label = self._labels.pop(user, None)
            if use is not None and label is None and raised and self.wanted:
                self._undecided.append(use)
                return
        if use is None:
            return
        if label is None:
            use.remove()
        else:
            self.kept.append(use.keep(label))

    def begun_since(self, count: int) -> list[object]:
        """What has not ended of those that have begun after so many others."""
        with self._guard:
            return [user for user, use in self._uses.items() if use.number >= count]

    def failed(
        self,
        test: str,
        cause: BaseException | None,
        images: Iterable[ImageLike],
        users: Iterable[object],
    ) -> None:
        """A test has failed: have its images and its containers and services kept.

        Args:
            test: what they are named after.
            cause: what it failed by: of a failed step, the container is kept too.
            images: those it got.
            users: its containers and services; what has ended by an exception is known.
        """
        if not self.wanted:
            return
        with self._guard:
            self.images += [(image, _name(test, image.label)) for image in images]
            if cause is not None:
                self._causes.append((cause, test))
            for user in users:
                if user in self._uses:
                    self._labels[user] = _name(test, self._uses[user].name)
        self.kept += [use.keep(_name(test, use.name)) for use in self._decided()]

    def over(self, *, keep: bool = False) -> None:
        """A test is over: what it has not failed by goes, or is kept after all."""
        for use in self._decided():
            if keep:
                self.kept.append(use.keep(use.name))
            else:
                use.remove()

    def _decided(self) -> list[Use]:
        with self._guard:
            found, self._undecided = self._undecided, []
            return found

    def label_of(self, error: BuildError) -> str | None:
        """What the container of a failed step is to be named after: the first test it failed."""
        tests = (_name(test, error.image) for cause, test in self._causes if cause is error)
        return next(tests, None)


def _name(test: str, what: str) -> str:
    return f"{test} ({what})"
