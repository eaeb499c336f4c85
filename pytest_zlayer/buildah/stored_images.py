"""The images of the store: found, made, named and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.agent.records import LIST_IMAGES
from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.errors import EngineError, ImageNotKnown
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.storage.index import (
    images_version,
    layer_digests,
    read_image,
    read_images,
)
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import (
    ImageRecord,
    ImageSummary,
    parse_image,
    parse_images,
)
from pytest_zlayer.lazy import LazyModule

# What no unchanged build needs is loaded with the first command.
if TYPE_CHECKING:
    from pytest_zlayer.buildah.commands import images
else:
    images = LazyModule("pytest_zlayer.buildah.commands.images")


class StoredImages:
    """The images of one storage, also those of other programs. Safe for several threads.

    Args:
        commander: runs buildah.
        storage: where the images are.
        tmpdir: gives the directory of this process for temporary files.
        note: adds a line to the journal of this process, for the agent to clean up by.
    """

    def __init__(
        self,
        commander: Commander,
        storage: StorageInfo,
        tmpdir: Callable[[], Path],
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._commander = commander
        self._storage = storage
        self._tmpdir = tmpdir
        self._note = note
        # Images that are known and not here yet, and what fetches them.
        self._expected: dict[str, Callable[[], None]] = {}
        # Ids only: a name may mean another image next time.
        self._without_triggers: set[str] = set()

    def all(self) -> tuple[ImageSummary, ...]:
        """All images of the storage."""
        known = read_images(self._storage)
        if known is not None:
            return known
        return parse_images(self._commander.repeatable(LIST_IMAGES))

    def version(self) -> object | None:
        """Changes whenever the images of the store change; ``None`` when that is not known."""
        return images_version(self._storage)

    def layer_digests(self) -> frozenset[str]:
        """The digests of the layers of the store: it does not unpack these again when it pulls."""
        return layer_digests(self._storage)

    def exists(self, reference: str) -> bool:
        """Whether the store has this image; nothing is pulled."""
        try:
            self.inspect(reference)
        except ImageNotKnown:
            return False
        return True

    def recorded(self, reference: str) -> ImageRecord | None:
        """An image by its full id or full name, as far as the storage's own records show it."""
        return read_image(self._storage, arguments.image(reference))

    def inspect(self, reference: str) -> ImageRecord:
        """All about an image of the store.

        Raises:
            ImageNotKnown: the store has no such image.
        """
        known = self.recorded(reference)
        if known is not None:
            return known
        words = ["inspect", "--type", "image", arguments.image(reference)]
        return parse_image(self._commander.repeatable(words))

    def refuse_triggers(self, reference: str) -> None:
        """Raises an ``EngineError`` if an image has ONBUILD triggers, which buildah would run."""
        if reference in self._without_triggers:
            return
        found = self.inspect(reference)
        if (found.config.get("config") or {}).get("OnBuild"):
            raise EngineError(
                Failure(
                    "permanent",
                    f"image {found.id[:12]} has ONBUILD triggers, which buildah would run",
                )
            )
        self._without_triggers.add(found.id)

    def expect(self, image: str, fetch: Callable[[], None]) -> None:
        """Has an image, whose id is known already, fetched when it is needed in the store."""
        self._expected[image] = fetch

    def bring(self, image: str) -> None:
        """Fetches an image that is expected; does nothing for any other.

        Raises:
            Whatever fetching it raises.
        """
        fetch = self._expected.get(image)
        if fetch is not None:
            fetch()
            self._expected.pop(image, None)

    def import_layout(self, directory: Path, *names: str) -> str:
        """Puts the image of an OCI layout directory into the store under these names; its id.

        Blobs of layers that the store has already need not be there.
        """
        with images.Unnamed(self._note) as note:
            found = images.import_layout(self._commander, directory, names, self._tmpdir(), note)
        if not found.has_triggers:
            self._without_triggers.add(found.id)
        return found.id

    def register(self, name: str) -> None:
        """Has this image name removed when the process is over, however it ends."""
        self._note({"image": arguments.image(name)})

    def unregister(self, name: str) -> None:
        """Takes :meth:`register` back: the name stays."""
        self._note({"drop image": name})

    def tag(self, image: str, *names: str) -> None:
        """Gives an image further names."""
        record = read_image(self._storage, image)
        known = {one.removesuffix(":latest") for one in record.names} if record else set()
        wanted = [one for one in names if one.removesuffix(":latest") not in known]
        if wanted:
            images.tag(self._commander, image, wanted)

    def untag(self, image: str, name: str) -> None:
        """Takes a name from an image that has others; the image itself stays."""
        images.untag(self._commander, image, name)

    def remove(self, *references: str) -> tuple[str, ...]:
        """Removes images or their names; those still in use are left and returned."""
        return images.remove(self._commander, references)
