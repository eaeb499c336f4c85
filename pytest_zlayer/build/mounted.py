"""Images mounted for reading: one container an image, for as long as the session lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_zlayer.build.bases import BaseImage
from pytest_zlayer.buildah.rootfs import Rootfs

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_zlayer.buildah.engine import Engine


class MountedImages:
    """Gives the files of images; safe for several threads.

    Containers are never made from images with ONBUILD: the engine would run the triggers.
    """

    def __init__(self, engine: Engine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch
        self._mounts: dict[str, tuple[str, Rootfs]] = {}
        self._guard = threading.Lock()

    def rootfs(self, image: BaseImage) -> Rootfs:
        """The files of ``image``."""
        with self._guard:
            if image.id not in self._mounts:
                container = self._engine.from_image(image.id)
                try:
                    self._mounts[image.id] = container, self._engine.mount(container)
                except BaseException:
                    self._engine.remove_containers(container)
                    raise
            return self._mounts[image.id][1]

    def forget(self, image_id: str) -> None:
        """Unmount one image if it is mounted."""
        with self._guard:
            found = self._mounts.pop(image_id, None)
        if found is not None:
            self._engine.remove_containers(found[0])

    def close(self) -> None:
        """Unmount all."""
        with self._guard:
            containers = [container for container, _ in self._mounts.values()]
            self._mounts.clear()
        if containers:
            self._engine.remove_containers(*containers)
