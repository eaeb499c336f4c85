"""Images mounted for reading, each in a container of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.rootfs import Rootfs

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

# Containers that wait for somebody who reads the same image again.
_KEPT = 8
# Seconds until containers are removed, together: that costs as much for one as for several.
_GATHERING = 1.0


@dataclass(slots=True)
class _Mounted:
    """An image in a container; ``readers``: how many count on it."""

    container: str
    files: Future[Rootfs] = field(default_factory=Future)
    readers: int = 0


class SharedImages:
    """The mounted images of one process. Safe for several threads.

    Containers are never made from images with ONBUILD: the engine would run the triggers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._images: dict[str, _Mounted] = {}  # those not read for longest come first
        self._done: list[str] = []
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()

    def take(self, image_id: str) -> Rootfs:
        """The files of an image, until they are given back."""
        with self._guard:
            mounted = self._images.pop(image_id, None)
            mine = mounted is None
            if mounted is None:
                mounted = _Mounted("")
            mounted.readers += 1
            self._images[image_id] = mounted
        if mine:
            self._mount(image_id, mounted)
        return mounted.files.result()

    def _mount(self, image_id: str, mounted: _Mounted) -> None:
        try:
            mounted.container = self._engine.from_image(image_id)
            files = self._engine.mount(mounted.container)
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            with self._guard:
                del self._images[image_id]
            self.discard([mounted.container] if mounted.container else [])
            mounted.files.set_exception(error)
        else:
            mounted.files.set_result(files)

    def give_back(self, image_ids: Iterable[str]) -> None:
        """Undo a :meth:`take` of each of these."""
        with self._guard:
            for image_id in image_ids:
                self._images[image_id].readers -= 1
            idle = [image_id for image_id, one in self._images.items() if not one.readers]
        self.forget(idle[: max(len(idle) - _KEPT, 0)])

    def offer(self, image_id: str, container: str, files: Rootfs) -> bool:
        """Read an image from here on in ``container``; whether that was needed."""
        with self._guard:
            if image_id in self._images:
                return False
            mounted = self._images[image_id] = _Mounted(container)
        mounted.files.set_result(files)
        return True

    def forget(self, image_ids: Iterable[str]) -> None:
        """Remove the containers of those of these images that nobody reads."""
        with self._guard:
            idle = [one for one in image_ids if one in self._images]
            idle = [one for one in idle if not self._images[one].readers]
            containers = [self._images.pop(one).container for one in idle]
        self.discard(containers)

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
            self._done += [one.container for one in self._images.values()]
            self._images.clear()
        self.remove()


class MountedImages:
    """What one build reads, and the containers it works in, until it is over.

    Safe for several threads.
    """

    def __init__(self, engine: Engine, shared: SharedImages) -> None:
        self._engine = engine
        self._shared = shared
        self._trees: dict[str, Rootfs] = {}
        self._held: list[str] = []
        self._guard = threading.Lock()

    def rootfs(self, image_id: str) -> Rootfs:
        """The files of an image."""
        with self._guard:
            if image_id not in self._trees:
                self._trees[image_id] = self._shared.take(image_id)
            return self._trees[image_id]

    def has_only(self, image_id: str, layers: int | None) -> bool:
        """Whether an image has so many layers and no more, and its files can be read."""
        config = self._engine.inspect_image(image_id).config
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
            images = list(self._trees)
            self._trees.clear()
        self._shared.give_back(images)
        self._shared.discard(held)
