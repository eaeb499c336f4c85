"""Images made of layers, put into the store through a layout that has only what is new."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.oci.chain import MOST_LAYERS, Chain, timestamp_text
from pytest_zlayer.builder.oci.config import config_json
from pytest_zlayer.builder.oci.layout import write_layout
from pytest_zlayer.choices import ImageFormat
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.dockerfile.values.platforms import Platform


def refuse_too_many(chain: Chain, label: str) -> None:
    """Make no image of more layers than a container storage can put on top of each other.

    Raises:
        UsageError: it would have more.
    """
    if len(chain.layers) > MOST_LAYERS:
        raise UsageError(
            f"{label} would have {len(chain.layers)} layers, and a container storage mounts "
            f"{MOST_LAYERS} at most",
            hint="join RUN steps (RUN a && b, or a here-document), or COPY several sources at once",
        )


def import_image(
    engine: Engine,
    directory: Path,
    content: Mapping[str, Any],
    chain: Chain,
    names: Sequence[str],
    *,
    image_format: ImageFormat = "oci",
) -> str:
    """Make an image of the store under these names; its id.

    Args:
        engine: the engine.
        directory: for the layout, which is removed again; not there yet.
        content: its configuration.
        chain: its layers; those without a file must be in the store already.
        names: what it is called.
        image_format: of its manifest.
    """
    try:
        write_layout(directory, content, chain.layers, image_format)
        return engine.images.import_layout(directory, *names)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def import_bare(
    engine: Engine, directory: Path, chain: Chain, names: Sequence[str], platform: Platform
) -> str:
    """The same for an image that has layers and nothing else: containers can be made of it."""
    bare = ImageConfig(architecture=platform.architecture, os=platform.os, variant=platform.variant)
    created = chain.history[-1].created if chain.history else timestamp_text(0)
    return import_image(engine, directory, config_json(bare, chain, created=created), chain, names)
