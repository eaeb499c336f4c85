"""Base images: from the name in FROM to an image in the store."""

from __future__ import annotations

import contextlib
import os
import platform as host
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.commands.local_place import local_name
from pytest_zlayer.buildah.errors import EngineError, ImageNotKnown
from pytest_zlayer.builder.model.platform import wanted_platform
from pytest_zlayer.builder.oci.chain import Chain, read_chain
from pytest_zlayer.builder.oci.config import read_config
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.builder.store.archives import (
    TRANSPORTS,
    is_archive_reference,
    split_reference,
    unpack_archive,
)
from pytest_zlayer.builder.store.image_directory import refuse_without_room
from pytest_zlayer.choices import IMAGE_DIRECTORIES, PullMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.values.platforms import Platform, host_platform, parse_platform
from pytest_zlayer.dockerfile.values.references import Reference, parse_reference
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.lazy import LOADING, once

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.storage.records import ImageRecord

DOCKER_IMAGE = "docker-image://"
OCI_LAYOUT = "oci-layout://"
# How the value of a named context begins that is an image.
IMAGE_SCHEMES = (DOCKER_IMAGE, OCI_LAYOUT, *TRANSPORTS)
# The domain of names that were given on this machine; buildah and podman never push there.
LOCAL_DOMAIN = "localhost"


class BaseImageError(ZlayerError):
    """A base image that cannot be had."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base image in the store: id, typed configuration, layers and history.

    ``whole``: its history tells of all layers, so that the engine can commit what is made of it.
    """

    id: str
    config: ImageConfig
    chain: Chain
    whole: bool = True

    @property
    def runnable(self) -> bool:
        """Whether the engine can make containers of it without acting on its configuration."""
        return not (self.config.onbuild or self.config.volumes)


def base_from_record(record: ImageRecord) -> BaseImage:
    """The base image that an image of the store makes."""
    config, chain = read_config(record.config), read_chain(record.manifest, record.config)
    recorded = sum(not entry.get("empty_layer") for entry in record.config.get("history") or ())
    return BaseImage(record.id, config, chain, whole=recorded == len(chain.layers))


def as_named_context(reference: str) -> str:
    """An image as the value of a named context."""
    return reference if reference.startswith(IMAGE_SCHEMES) else f"{DOCKER_IMAGE}{reference}"


def candidates(reference: Reference, registry: str | None) -> Iterator[str]:
    """The full references a name may stand for, best first.

    A name with a registry is that one. Others are looked for in the configured default registry,
    then on docker.io. A digest says everything: the tag beside it is left out, because registries
    are not asked for both.
    """
    if not reference.explicit_domain and registry:
        yield f"{registry.rstrip('/')}/{_short(reference)}"
    yield f"{reference.name}{_version(reference)}"


def local_names(reference: Reference) -> list[str]:
    """Further references that only an image of the store can have."""
    # Images built here carry localhost/.
    return [] if reference.explicit_domain else [f"{LOCAL_DOMAIN}/{_short(reference)}"]


def _short(reference: Reference) -> str:
    """Path and version as people write them: official images without ``library/``."""
    path = reference.path
    if path.count("/") == 1:
        path = path.removeprefix("library/")
    return path + _version(reference)


def _version(reference: Reference) -> str:
    return f"@{reference.digest}" if reference.digest else f":{reference.tag}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The platform an image has to be for; ``explicit`` when somebody said so."""

    platform: Platform
    explicit: bool

    @classmethod
    def read(cls, text: str | None) -> _Wanted:
        native = host_platform(host.machine())
        return cls(wanted_platform(text, native), explicit=text is not None)

    def fits(self, image: BaseImage) -> bool:
        """Whether the image runs there; one that does not say what it is for runs everywhere."""
        config = image.config
        if not config.architecture:
            return True
        have = parse_platform(image_platform(config), self.platform)
        same = (have.os, have.architecture) == (self.platform.os, self.platform.architecture)
        # A later variant is more than the earlier ones; none is the least.
        return same and (not self.platform.variant or have.variant <= self.platform.variant)


def image_platform(config: ImageConfig) -> str:
    """What an image is for, as ``--platform`` takes it."""
    return "/".join(
        one for one in (config.os or "linux", config.architecture, config.variant) if one
    )


Failing = Callable[[], AbstractContextManager[None]]
"""What a pull is done in, so that its failure is reported as that of what needs the image."""


class BaseImages:
    """Finds and pulls base images for one session.

    Args:
        engine: the engine.
        registry: the default registry.
        resolve: the hook for base images.
        pull: pulls ``(reference, shown, mode, platform, manifest)``; the id. ``shown`` is how
            events call it. The manifest is what the registry has said before, ``None`` where it
            was not asked.
        describe: what a registry says of an image, ``None`` where nothing is to be gained by it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        registry: str | None,
        resolve: Callable[[str], str | None],
        pull: Callable[[str, str, PullMode, str | None, Mapping[str, Any] | None], str],
        describe: Callable[[str, Platform], ImageRecord | None] | None = None,
        check: Callable[[], None] = go_on,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._resolve = resolve
        self._pull = pull
        self._describe = describe
        self._check = check

    def get(
        self, name: str, mode: PullMode, platform: str | None, failing: Failing | None = None
    ) -> BaseImage:
        """The base image ``name`` stands for, pulled as ``mode`` says.

        With ``failing`` what a registry says of it may be all there is of it. The engine then
        pulls it where it is first needed, within that.

        Raises:
            BaseImageError: it is nowhere to be had.
            EngineError: a registry did not answer.
        """
        name = self._resolve(name) or name
        if name.startswith(OCI_LAYOUT):
            return self._load_layout(name.removeprefix(OCI_LAYOUT), _Wanted.read(platform))
        if is_archive_reference(name):
            return self._load_archive(name, _Wanted.read(platform))
        reference = _read_reference(name)
        wanted = _Wanted.read(platform)
        tried = list(candidates(reference, self._registry))
        only_here = reference.domain == LOCAL_DOMAIN
        looked_up = only_here or mode in ("missing", "never")
        local = self._local(tried, reference, wanted) if looked_up else None
        if local is not None and wanted.fits(local):
            return local
        if only_here or mode == "never":
            return self._without_network(name, tried[0], local, wanted, never=mode == "never")
        if failing is not None and self._is_absent(local, mode, tried, reference, wanted):
            described = self._described(tried, mode, wanted, failing)
            if described is not None:
                return described
        if local is None or wanted.explicit:
            return self._pull_first(tried, mode if local is None else "always", wanted)
        try:
            return self._pull_first(tried, "always", wanted)
        except (BaseImageError, EngineError):
            return local  # nobody asked for another platform, so it may be meant

    def _is_absent(
        self,
        local: BaseImage | None,
        mode: PullMode,
        tried: list[str],
        reference: Reference,
        wanted: _Wanted,
    ) -> bool:
        """Whether there is nothing in the store that a pull could go by."""
        if mode == "always":
            return self._local(tried, reference, wanted) is None
        return mode == "missing" and local is None

    def _described(
        self, tried: list[str], mode: PullMode, wanted: _Wanted, failing: Failing
    ) -> BaseImage | None:
        """What a registry says of the image; ``None``: it has to be pulled to know it."""
        if self._describe is None:
            return None
        for name in tried:
            try:
                record = self._describe(name, wanted.platform)
            except EngineError as error:
                if error.interrupted:
                    raise
                if error.failure.kind == "absent":
                    continue
                return None
            if record is None or (wanted.explicit and not wanted.fits(base_from_record(record))):
                return None
            self._expect(name, record, mode, wanted, failing)
            return base_from_record(record)
        return None

    def _expect(
        self, name: str, record: ImageRecord, mode: PullMode, wanted: _Wanted, failing: Failing
    ) -> None:
        """Have the image pulled when the engine first needs it."""

        def fetch() -> None:
            with failing():
                found = self._pull_first([name], mode, wanted, record.manifest).id
                if found != record.id:  # the tag has come to mean another one
                    with LOADING:
                        from pytest_zlayer.builder.store.described_images import by_digest

                    found = self._pull_first([by_digest(name, record)], "missing", wanted).id
                if found != record.id:
                    raise BaseImageError(
                        f"base image {name} is not the one that its registry announced"
                    )

        self._engine.images.expect(record.id, once(fetch))

    def _without_network(
        self, name: str, full: str, local: BaseImage | None, wanted: _Wanted, *, never: bool
    ) -> BaseImage:
        """The image of the store, for want of a better one."""
        if local is not None and not wanted.explicit:
            return local
        if local is not None:
            raise _other_platform(name, local, wanted)
        if never:
            raise BaseImageError(
                f"base image {name} is not in the store and pull is never",
                hint=f"pull it first ({full}), or allow pulling",
            )
        raise BaseImageError(
            f"base image {name} is not in the store",
            hint=f"names under {LOCAL_DOMAIN}/ are never pulled: build or import it first",
        )

    def _local(self, tried: list[str], reference: Reference, wanted: _Wanted) -> BaseImage | None:
        for name in [*tried, *local_names(reference)]:
            with contextlib.suppress(ImageNotKnown):
                found = base_from_record(self._engine.images.inspect(name))
                return found if wanted.fits(found) else self._of_list(name, wanted) or found
        return None

    def _of_list(self, name: str, wanted: _Wanted) -> BaseImage | None:
        """The image for the platform when ``name`` is a manifest list of the store."""
        try:
            image_id = self._engine.registries.pull(
                name, policy="never", platform=wanted.platform.short
            )
            found = base_from_record(self._engine.images.inspect(image_id))
        except EngineError:
            return None
        return found if wanted.fits(found) else None

    def _pull_first(
        self,
        tried: list[str],
        mode: PullMode,
        wanted: _Wanted,
        manifest: Mapping[str, Any] | None = None,
    ) -> BaseImage:
        missing: EngineError | None = None
        for name in tried:
            try:
                image_id = self._pull(
                    name, name, mode, wanted.platform.short if wanted.explicit else None, manifest
                )
            except EngineError as error:
                if error.failure.kind != "absent":
                    raise
                missing = error
                continue
            return self._checked(name, image_id, wanted)
        raise BaseImageError(
            f"no such base image: {' or '.join(tried)}",
            hint="check its name and tag, or log in if the repository is private",
        ) from missing

    def _checked(self, name: str, image_id: str, wanted: _Wanted) -> BaseImage:
        """The image, unless it is for another platform than was asked for.

        buildah only warns of that. A single image, not a list, is pulled whatever it is for.
        """
        found = base_from_record(self._engine.images.inspect(image_id))
        if wanted.explicit and not wanted.fits(found):
            raise _other_platform(name, found, wanted)
        return found

    def _load_archive(self, name: str, wanted: _Wanted) -> BaseImage:
        """An image of an archive or directory of this machine."""
        kind, path, tag = split_reference(name)
        path = path.absolute()
        if kind in IMAGE_DIRECTORIES:
            return self._load(f"{kind}:{path}{f':{tag}' if tag else ''}", name, wanted)
        folder = self._engine.tmpdir / f"archive-{os.urandom(6).hex()}"
        folder.mkdir()
        try:
            return self._load(unpack_archive(kind, path, tag, folder, self._check), name, wanted)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _load_layout(self, path: str, wanted: _Wanted) -> BaseImage:
        place = str(Path(path).absolute())
        return self._load(f"oci:{place}", place, wanted)

    def _load(self, source: str, shown: str, wanted: _Wanted) -> BaseImage:
        platform = wanted.platform.short if wanted.explicit else None
        root, known = self._engine.storage.root, self._engine.images.layer_digests()
        refuse_without_room(source, shown, root, known=known, check=self._check)
        image_id = self._pull(source, shown, "always", platform, None)
        own = f"{self._engine.temporary_images}layout-{image_id[:12]}"
        self._engine.images.register(own)
        self._engine.images.tag(image_id, own)
        with contextlib.suppress(ZlayerError):
            # buildah 1.28 gives it a name that nobody would ever take back.
            self._engine.images.untag(image_id, f"{LOCAL_DOMAIN}/{local_name(source)}:latest")
        return self._checked(shown, image_id, wanted)


def _read_reference(name: str) -> Reference:
    try:
        return parse_reference(name.removeprefix(DOCKER_IMAGE))
    except ValueError as problem:
        raise UsageError(f"base image {name!r}: {problem}") from problem


def _other_platform(name: str, found: BaseImage, wanted: _Wanted) -> BaseImageError:
    return BaseImageError(
        f"base image {name} is for {image_platform(found.config)}, not {wanted.platform.short}",
        hint=f"name an image for {wanted.platform.short}, or ask for another platform",
    )
