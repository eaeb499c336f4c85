"""The store as images use it: facts, files, containers, names, exports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.image.image_like import ImageLike, SaveFormat
from pytest_zlayer.builder.image.kept import keep_container
from pytest_zlayer.builder.oci.chain import Chain, read_chain
from pytest_zlayer.builder.oci.config import config_json, read_config
from pytest_zlayer.builder.store.mounted_images import MountedImages, SharedImages
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.waiting import held

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.image.container import Container
    from pytest_zlayer.builder.image.keeping import Keeping
    from pytest_zlayer.builder.store.transfers import Transfers
    from pytest_zlayer.checks.waste import LayerFile


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the store knows of an image; ``size`` in bytes, uncompressed."""

    digest: str
    size: int
    created: datetime
    config: ImageConfig
    chain: Chain
    raw: Mapping[str, Any]


class StoreUser(Protocol):
    """Something in a package above this one that uses images of a store until it is closed."""

    def __init__(self, store: ImageStore) -> None: ...

    def close(self) -> None:
        """End it."""
        ...


User = TypeVar("User", bound=StoreUser)


class ImageStore:
    """One session's view of the store. Safe for several threads.

    Args:
        engine: the engine.
        scratch: gives a private directory of the session.
        prefix: names of temporary images begin with it.
        transfers: does the pushes.
        mounted: mounts images.
        service_engine: what runs services: ``auto``, ``podman`` or ``buildah``.
        keeping: what of the containers is kept.
        stays: names given to images outlive the session.
    """

    def __init__(
        self,
        engine: Engine,
        scratch: Callable[[], Path],
        prefix: str,
        transfers: Transfers,
        mounted: SharedImages,
        *,
        service_engine: str = "auto",
        keeping: Keeping,
        stays: bool = False,
    ) -> None:
        self.engine = engine
        self.service_engine = service_engine
        self.keeping = keeping
        self._users: dict[type[Any], Any] = {}
        self._mounted = MountedImages(engine, mounted, exact=True)
        self._scratch = scratch
        self._prefix = prefix
        self._facts: dict[str, ImageFacts] = {}
        self._runnable: dict[str, str] = {}
        self._temporary: list[str] = []
        self._tags: list[str] = []
        self._stays = stays
        self._guard = threading.RLock()
        self._transfers = transfers

    def user(self, kind: type[User]) -> User:
        """The one object of a kind that uses the images of this store, made at first need.

        It is closed before images are removed.
        """
        with held(self._guard):
            if kind not in self._users:
                self._users[kind] = kind(self)
            found: User = self._users[kind]
            return found

    def known_user(self, kind: type[User]) -> User | None:
        """The same if it has been needed."""
        return self._users.get(kind)

    def close_users(self) -> None:
        """Close what uses the images."""
        users, self._users = self._users, {}
        for one in users.values():
            one.close()

    def facts(self, image_id: str) -> ImageFacts:
        """Facts of an image, read once."""
        with held(self._guard):
            if image_id not in self._facts:
                record = self.engine.images.inspect(image_id)
                chain = read_chain(record.manifest, record.config)
                self._facts[image_id] = ImageFacts(
                    digest=record.digest,
                    size=sum(layer.size for layer in chain.layers),
                    created=_moment(record.config.get("created", "")),
                    config=read_config(record.config),
                    chain=chain,
                    raw=record.config,
                )
            return self._facts[image_id]

    def layer_files(self, image_id: str) -> list[list[LayerFile]]:
        """What stands in the tar of each layer, from the bottom up."""
        with LOADING:
            from pytest_zlayer.builder.image.layer_files import pushed_layer_files, read_layer_files

        found = read_layer_files(self.engine.storage, image_id)
        if found is None:
            directory = self._scratch() / f"layers-{image_id[:12]}"
            found = pushed_layer_files(self.engine, image_id, directory)
        return found

    def rootfs(self, image_id: str) -> Rootfs:
        """The files of an image."""
        return self._mounted.rootfs(self.runnable_image(image_id))

    @contextmanager
    def container(self, image: ImageLike, *, lasting: bool = False) -> Iterator[Container]:
        """A working container of ``image``, removed afterwards.

        ``lasting``: what a command leaves running is there for the next one.
        """
        with LOADING:
            from pytest_zlayer.builder.image.container import Container

        name = self.engine.from_image(self.runnable_image(image.native_id))
        container = Container(image, name, self.engine, lasting=lasting)
        self.keeping.begin(
            container,
            image.label,
            keep=lambda label: keep_container(self.engine, name, label),
            remove=lambda: self.engine.remove_containers(name),
        )
        raised = True
        try:
            yield container
            raised = False
        finally:
            container.close()
            self.keeping.end(container, raised=raised)

    def runnable_image(self, image_id: str) -> str:
        """The image, or one of its layers without what the engine acts on (ONBUILD, VOLUME)."""
        with LOADING:
            from pytest_zlayer.builder.store.import_image import import_image

        facts = self.facts(image_id)
        if not (facts.config.onbuild or facts.config.volumes):
            return image_id
        with held(self._guard):
            if image_id not in self._runnable:
                name = f"{self._prefix}bare-{len(self._runnable)}"
                directory = self._scratch() / f"bare-{image_id[:12]}"
                bare = ImageConfig(architecture=facts.config.architecture, os=facts.config.os)
                content = config_json(bare, facts.chain, created=facts.created.isoformat())
                made = import_image(self.engine, directory, content, facts.chain, (name,))
                self._runnable[image_id] = made
                self._temporary.append(name)
            return self._runnable[image_id]

    def export(self, image: ImageLike, path: Path, source: str) -> Path:
        """Write files of ``image`` to ``path``."""
        with LOADING:
            from pytest_zlayer.builder.image.export import export_files

        return export_files(self.rootfs(image.native_id), source, path, image.label)

    def tag(self, image: ImageLike, names: Sequence[str]) -> None:
        """Give ``image`` more names, which go with the session."""
        if not self._stays:
            for name in names:
                self.engine.images.register(name)
        self.engine.images.tag(image.id, *names)
        with held(self._guard):
            self._tags += names

    @property
    def tags(self) -> tuple[str, ...]:
        """All names that tests have given to images."""
        return () if self._stays else tuple(self._tags)

    def push(
        self, image: ImageLike, destinations: Sequence[str], authfile: Path | None
    ) -> tuple[str, ...]:
        """Push ``image`` to each destination; the digests."""
        if not destinations:
            raise UsageError(f"{image.label} has no tags: say where to push it")
        return tuple(self._push(image, one, authfile) for one in destinations)

    def _push(self, image: ImageLike, destination: str, authfile: Path | None) -> str:
        def once(timeout: float | None) -> str:
            target = f"docker://{destination.removeprefix('docker://')}"
            registries = self.engine.registries
            push = registries.manifest_push if image.is_manifest_list else registries.push
            source = image.name if image.is_manifest_list else image.id
            return push(source, target, timeout=timeout, authfile=authfile)

        return self._transfers.do(once, "push", destination, image.label)

    def save(self, image: ImageLike, path: Path, image_format: SaveFormat) -> Path:
        """Write ``image`` to ``path``."""
        with LOADING:
            from pytest_zlayer.builder.image.save import save

        return save(self.engine, image, path, image_format)

    def load_into(self, image: ImageLike, engine: str) -> str:
        """Hand ``image`` to another engine through an archive; its name there."""
        with LOADING:
            from pytest_zlayer.builder.image.save import load_into

        return load_into(self.engine, image, engine, self._scratch())

    def close(self) -> None:
        """Unmount everything and remove temporary images."""
        self._mounted.close()
        if self._temporary:
            self.engine.images.remove(*self._temporary)


def _moment(text: str) -> datetime:
    """An RFC 3339 time; nanoseconds are cut to what Python holds."""
    head, _, rest = text.rstrip("Z").partition(".")
    digits = "".join(one for one in rest if one.isdigit())[:6]
    try:
        moment = datetime.fromisoformat(f"{head}.{digits or '0':0<6}")
    except ValueError:
        return datetime.fromtimestamp(0, timezone.utc)
    return moment.replace(tzinfo=timezone.utc)
