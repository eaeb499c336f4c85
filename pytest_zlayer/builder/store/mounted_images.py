"""Images mounted for reading, each in a container of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.waiting import Outcome, held, work_once

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

# Containers that wait for somebody who reads the same image again.
_KEPT = 8
# Seconds until containers are removed, together: that costs as much for one as for several.
_GATHERING = 1.0


class _Mounted(Outcome[Rootfs]):
    """An image in a container: the outcome is its files.

    Attributes:
        image: its id.
        container: the name of the container.
        built: whether it is the container in which the image was built. That may have what the
            image has not, like sockets, and other times of directories: good enough to copy from.
        readers: how many count on it.
    """

    def __init__(self, image: str, container: str = "", *, built: bool = False) -> None:
        super().__init__()
        self.image = image
        self.container = container
        self.built = built
        self.readers = 0


class SharedImages:
    """The mounted images of one process. Safe for several threads.

    Containers are never made from images with ONBUILD: the engine would run the triggers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mounted: list[_Mounted] = []  # those not read for longest come first
        self._done: list[str] = []
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()

    def take(self, image: str, *, exact: bool) -> _Mounted:
        """An image, mounted until it is given back; ``exact``: not as it was built."""
        mounted = work_once(
            lambda: _Mounted(image), lambda mine: self._join(mine, exact=exact), self._mount,
            forget=self._forget, leave=lambda joined: self.give_back([joined]),
        )  # fmt: skip
        mounted.result()
        return mounted

    def _join(self, mine: _Mounted, *, exact: bool) -> _Mounted:
        """One that is there already, or ``mine``; with one more reader."""
        with self._guard:
            fitting = [one for one in self._mounted if one.image == mine.image]
            fitting = [one for one in fitting if not (exact and one.built)]
            mounted = fitting[0] if fitting else mine
            mounted.readers += 1
            if fitting:
                self._mounted.remove(mounted)
            self._mounted.append(mounted)
            return mounted

    def _forget(self, mounted: _Mounted) -> None:
        """Nobody finds it any more; its container goes."""
        with self._guard:
            if mounted in self._mounted:
                self._mounted.remove(mounted)
        self.discard([mounted.container] if mounted.container else [])

    def _mount(self, mounted: _Mounted) -> None:
        try:
            mounted.container = self._engine.from_image(mounted.image)
            mounted.give(self._engine.mount(mounted.container))
        except Exception as error:  # noqa: BLE001 (raised where it is waited for)
            self._forget(mounted)
            mounted.fail(error)

    def give_back(self, taken: Iterable[_Mounted]) -> None:
        """Undo a :meth:`take` of each of these."""
        with self._guard:
            for one in taken:
                one.readers -= 1
            idle = [one for one in self._mounted if not one.readers]
        self._remove_idle(idle[: max(len(idle) - _KEPT, 0)])

    def offer(self, image: str, container: str, files: Rootfs) -> bool:
        """Let an image be read in the container in which it was built; whether that is needed."""
        mounted = _Mounted(image, container, built=True)
        mounted.give(files)
        with self._guard:
            needed = all(one.image != image for one in self._mounted)
            if needed:
                self._mounted.append(mounted)
            return needed

    def forget(self, images: Iterable[str]) -> None:
        """Remove the containers of those of these images that nobody reads."""
        wanted = set(images)
        with self._guard:
            found = [one for one in self._mounted if one.image in wanted]
        self._remove_idle(found)

    def _remove_idle(self, mounted: Iterable[_Mounted]) -> None:
        with self._guard:
            idle = [one for one in mounted if one in self._mounted and not one.readers]
            for one in idle:
                self._mounted.remove(one)
        self.discard(one.container for one in idle)

    def discard(self, containers: Iterable[str]) -> None:
        """Have containers removed soon."""
        with self._guard:
            self._done += containers
            if self._done and self._timer is None:
                self._timer = threading.Timer(_GATHERING, self._remove_in_passing)
                self._timer.daemon = True
                self._timer.start()

    def _remove_in_passing(self) -> None:
        # What does not succeed now is done when the engine is closed.
        with contextlib.suppress(EngineError):
            self.remove()

    def remove(self) -> None:
        """Remove what is to be removed, now."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            done, self._done = self._done, []
        if done:
            self._engine.remove_containers(*done)

    def close(self) -> None:
        """Remove all containers, in one go."""
        with self._guard:
            self._done += [one.container for one in self._mounted]
            self._mounted.clear()
        self.remove()


class MountedImages:
    """What one build reads, and the containers it works in, until it is over.

    Safe for several threads.

    Args:
        engine: the engine.
        shared: where images are mounted.
        exact: whether images are to look exactly as everybody else gets them.
    """

    def __init__(self, engine: Engine, shared: SharedImages, *, exact: bool = False) -> None:
        self._engine = engine
        self._shared = shared
        self._exact = exact
        self._taken: dict[str, _Mounted] = {}
        self._held: list[str] = []
        self._guard = threading.Lock()

    def rootfs(self, image_id: str) -> Rootfs:
        """The files of an image."""
        with held(self._guard):
            if image_id not in self._taken:
                self._taken[image_id] = self._shared.take(image_id, exact=self._exact)
            return self._taken[image_id].result()

    def has_only(self, image_id: str, layers: int | None) -> bool:
        """Whether an image has so many layers and no more, and its files can be read."""
        config = self._engine.images.inspect(image_id).config
        if (config.get("config") or {}).get("OnBuild"):
            return False
        return layers is None or len(config["rootfs"]["diff_ids"]) == layers

    def offer(self, image_id: str, container: str, files: Rootfs) -> None:
        """Have an image that was just made of a container read there; it is held no longer."""
        if self._shared.offer(image_id, container, files):
            self.release(container)

    def hold(self, container: str) -> None:
        """Take over a container that is only to be removed at the end."""
        with self._guard:
            self._held.append(container)

    def holds(self, container: str) -> bool:
        """Whether a container taken over is still there."""
        with self._guard:
            return container in self._held

    def release(self, container: str) -> None:
        """Give a container back: somebody else removes it."""
        with self._guard:
            self._held.remove(container)

    def close(self) -> None:
        """The build is over."""
        with self._guard:
            held, self._held = self._held, []
            taken = list(self._taken.values())
            self._taken.clear()
        self._shared.give_back(taken)
        self._shared.discard(held)
