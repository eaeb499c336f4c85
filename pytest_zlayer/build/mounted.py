"""Images mounted for reading, each in a container of its own, until all are closed at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.rootfs import Rootfs

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine


class MountedImages:
    """Gives the files of images; safe for several threads.

    Containers are never made from images with ONBUILD: the engine would run the triggers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._containers: dict[str, str] = {}
        self._trees: dict[str, Rootfs] = {}
        self._spare: list[str] = []
        self._guard = threading.Lock()

    def rootfs(self, image_id: str) -> Rootfs:
        """The files of an image."""
        with self._guard:
            if image_id not in self._trees:
                if image_id not in self._containers:
                    self._containers[image_id] = self._engine.from_image(image_id)
                self._trees[image_id] = self._engine.mount(self._containers[image_id])
            return self._trees[image_id]

    def offer(self, image_id: str, container: str, files: Rootfs | None) -> None:
        """Read the image just committed from a container that is held through that container.

        ``files`` are those of the container if it is mounted.
        """
        with self._guard:
            if image_id in self._containers:
                return
            self._spare.remove(container)
            self._containers[image_id] = container
            if files is not None:
                self._trees[image_id] = files

    def hold(self, container: str) -> None:
        """Take over a container that is only to be removed at the end."""
        with self._guard:
            self._spare.append(container)

    def holds(self, container: str) -> bool:
        """Whether a container taken over is still there."""
        with self._guard:
            return container in self._spare

    def release(self, container: str) -> None:
        """Give a container back: somebody else removes it."""
        with self._guard:
            self._spare.remove(container)

    def close(self) -> None:
        """Remove all containers, in one go."""
        with self._guard:
            containers = [*self._containers.values(), *self._spare]
            self._containers.clear()
            self._trees.clear()
            self._spare.clear()
        if containers:
            self._engine.remove_containers(*containers)
