"""Layers that were fetched become an image of the store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.store.import_image import import_bare
from pytest_zlayer.dockerfile.values.platforms import Platform


class Importer:
    """Puts layers on top of those of a base image that is in the store.

    Args:
        engine: the engine.
        scratch: a directory for the layouts on their way.
    """

    def __init__(self, engine: Engine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch
        self._count = 0
        self._guard = threading.Lock()

    def __call__(self, chain: Chain, names: Sequence[str], platform: tuple[str, str, str]) -> str:
        """Make an image without configuration of all layers, under these names; its id."""
        with self._guard:
            self._count += 1
            directory = self._scratch / f"import-{self._count}"
        self._scratch.mkdir(exist_ok=True)
        architecture, system, variant = platform
        wanted = Platform(system, architecture, variant)
        return import_bare(self._engine, directory, chain, names, wanted)
