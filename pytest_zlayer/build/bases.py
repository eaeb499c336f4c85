"""Base images: which reference a name stands for, and how it gets into the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_zlayer.build.assemble import Chain, read_chain, read_config
from pytest_zlayer.build.spec import PullMode
from pytest_zlayer.buildah.errors import EngineError, ImageNotKnown
from pytest_zlayer.dockerfile.config import ImageConfig
from pytest_zlayer.dockerfile.references import Reference, parse_reference
from pytest_zlayer.errors import UsageError, ZlayerError

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine, ImageRecord

DOCKER_IMAGE = "docker-image://"
OCI_LAYOUT = "oci-layout://"


class BaseImageError(ZlayerError):
    """A base image that cannot be had."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base image in the store: id, typed configuration, layers and history.

    ``runnable``: the engine can make containers of it and commit them without acting on its
    configuration (ONBUILD, VOLUME) or stumbling over a history that leaves out layers.
    """

    id: str
    config: ImageConfig
    chain: Chain
    runnable: bool = True


def base_from_record(record: ImageRecord) -> BaseImage:
    """The base image that an image of the store makes."""
    config, chain = read_config(record.config), read_chain(record.manifest, record.config)
    told = sum(not entry.get("empty_layer") for entry in record.config.get("history") or ())
    runnable = not (config.onbuild or config.volumes) and told == len(chain.layers)
    return BaseImage(record.id, config, chain, runnable)


def candidates(reference: Reference, registry: str | None) -> Iterator[str]:
    """The full references a name may stand for, best first.

    A name with a registry is that one. Others are looked for in the configured default registry,
    then on docker.io.
    """
    if not reference.explicit_domain and registry:
        familiar = reference.familiar
        yield (
            f"{registry}/{familiar}"
            if ":" in familiar or "@" in familiar
            else (f"{registry}/{familiar}:latest")
        )
    yield str(reference)


class BaseImages:
    """Finds and pulls base images for one session."""

    def __init__(
        self,
        engine: Engine,
        *,
        registry: str | None,
        resolve: Callable[[str], str | None],
        pulling: Callable[[str], None],
        pull: Callable[[str, PullMode, str | None], str],
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._resolve = resolve
        self._pulling = pulling
        self._pull = pull

    def get(self, name: str, mode: PullMode, platform: str | None) -> BaseImage:
        """The base image ``name`` stands for, pulled as ``mode`` says.

        Raises:
            BaseImageError: it is nowhere to be had.
            EngineError: a registry did not answer.
        """
        name = self._resolve(name) or name
        if name.startswith(OCI_LAYOUT):
            return self._load_layout(name.removeprefix(OCI_LAYOUT))
        try:
            reference = parse_reference(name.removeprefix(DOCKER_IMAGE))
        except ValueError as problem:
            raise UsageError(f"base image {name!r}: {problem}") from problem
        tried = list(candidates(reference, self._registry))
        if mode in ("missing", "never"):
            found = self._local(tried, reference)
            if found is not None:
                return found
        if mode == "never":
            raise BaseImageError(
                f"base image {name} is not in the store and pull is never",
                hint=f"pull it first ({tried[0]}), or allow pulling",
            )
        return self._pull_first(tried, mode, platform)

    def _local(self, tried: list[str], reference: Reference) -> BaseImage | None:
        names = list(tried)
        if not reference.explicit_domain:  # images built here carry localhost/
            familiar = reference.familiar
            tagged = familiar if ":" in familiar or "@" in familiar else f"{familiar}:latest"
            names.append(f"localhost/{tagged}")
        for name in names:
            with contextlib.suppress(ImageNotKnown):
                return base_from_record(self._engine.inspect_image(name))
        return None

    def _pull_first(self, tried: list[str], mode: PullMode, platform: str | None) -> BaseImage:
        missing: EngineError | None = None
        for name in tried:
            self._pulling(name)
            try:
                image_id = self._pull(name, mode, platform)
            except EngineError as error:
                if error.failure.kind != "absent":
                    raise
                missing = error
                continue
            return base_from_record(self._engine.inspect_image(image_id))
        raise BaseImageError(
            f"no such base image: {' or '.join(tried)}",
            hint="check its name and tag, or log in if the repository is private",
        ) from missing

    def _load_layout(self, path: str) -> BaseImage:
        self._pulling(path)
        image_id = self._pull(f"oci:{path}", "always", None)
        return base_from_record(self._engine.inspect_image(image_id))
