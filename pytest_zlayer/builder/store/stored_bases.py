"""The configurations of base images that are in the storage, read without any engine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_zlayer.buildah.storage.index import images_version, read_image
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.builder.oci.config import read_config
from pytest_zlayer.builder.store.base_images import candidates, local_names
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.values.references import parse_reference
from pytest_zlayer.lazy import late_pattern

_GRAPHROOT = late_pattern(r'^\s*graphroot\s*=\s*"([^"]+)"', re.MULTILINE)
_SYSTEM = "/var/lib/containers/storage"


class StoredBases(Mapping[str, ImageConfig]):
    """By the name FROM gives them; what is not in the storage, or cannot be read, is not there.

    Args:
        root: of the storage; ``None``: the user's own.
        registry: for names without one.
        environment: where the user's own storage is found from.
    """

    def __init__(
        self, root: Path | None, registry: str | None, environment: Mapping[str, str]
    ) -> None:
        root = root or _default_root(environment)
        folders = sorted(root.glob("*-images")) if os.access(root, os.R_OK | os.X_OK) else []
        self._storages = [
            StorageInfo(root, root, folder.name.removesuffix("-images")) for folder in folders
        ]
        self._registry = registry
        self._known: dict[str, ImageConfig | None] = {}

    def __getitem__(self, name: str) -> ImageConfig:
        if name not in self._known:
            self._known[name] = self._find(name)
        found = self._known[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name, found in self._known.items() if found is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def version(self) -> str:
        """A text that changes whenever an image of the storage does."""
        return repr([images_version(storage) for storage in self._storages])

    def _find(self, name: str) -> ImageConfig | None:
        try:
            reference = parse_reference(name)
        except ValueError:
            return None
        names = [*candidates(reference, self._registry), *local_names(reference)]
        for storage in self._storages:
            for one in names:
                record = read_image(storage, one)
                if record is not None:
                    return read_config(record.config)
        return None


def _default_root(environment: Mapping[str, str]) -> Path:
    """Where containers/storage keeps images, unless an option says otherwise."""
    home = Path(environment.get("HOME") or "/")
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    named = environment.get("CONTAINERS_STORAGE_CONF")
    rootless = os.geteuid() != 0
    files = (
        [own / "containers/storage.conf"] if rootless else [Path("/etc/containers/storage.conf")]
    )
    for file in [Path(named)] if named else files:
        try:
            found = _GRAPHROOT.search(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if found:
            return Path(found[1])
    if not rootless:
        return Path(_SYSTEM)
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local/share")
    return data / "containers/storage"
