"""Manifest lists made by hand: of images built apart, here or on other machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.session.resources import SessionResources


class ManifestLists:
    """Creates, fills and pushes manifest lists in the store of one session.

    Images are an ``Image``, the name of one in the store, or ``docker://NAME`` for one in a
    registry (all images of it when it is a list; layers are not downloaded). Everything raises
    ``EngineError`` when it cannot be done.
    """

    def __init__(self, resources: SessionResources) -> None:
        self._resources = resources

    def create(self, name: str, *images: Image | str) -> str:
        """Create the list ``name`` of ``images``; its id. It is removed with the session."""
        engine = self._resources.engine
        engine.images.register(name)
        list_id = engine.registries.manifest_create(name)
        self.add(name, *images)
        return list_id

    def add(self, name: str, *images: Image | str) -> None:
        """Add ``images`` to the list ``name``; several processes may do so at once."""
        for image in images:
            self._add(name, str(image))

    def _add(self, name: str, source: str) -> None:
        def once(_: float | None) -> None:
            self._resources.engine.registries.manifest_add(name, source)

        self._resources.transfers.do(once, "add", source, name)

    def push(self, name: str, *destinations: str, authfile: Path | None = None) -> tuple[str, ...]:
        """Push the list and all its images (without destinations: to ``name``); the digests."""
        return tuple(self._push(name, one, authfile) for one in destinations or (name,))

    def _push(self, name: str, destination: str, authfile: Path | None) -> str:
        def once(timeout: float | None) -> str:
            target = f"docker://{destination.removeprefix('docker://')}"
            engine = self._resources.engine
            return engine.registries.manifest_push(name, target, timeout=timeout, authfile=authfile)

        return self._resources.transfers.do(once, "push", destination, name)
