"""Where the containers and images are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StorageInfo:
    """One container storage.

    Attributes:
        root: where layers and images lie.
        runroot: where the state that a reboot may lose lies.
        driver: how layers are stored (``overlay``, ``vfs``).
    """

    root: Path
    runroot: Path
    driver: str

    @property
    def state(self) -> Path:
        """Our own directory in it: shared by all who share the storage, whoever they are."""
        return self.root / "zlayer"

    @property
    def sessions(self) -> Path:
        """Where live sessions keep their locked journals."""
        return self.state / "sessions"

    def options(self) -> list[str]:
        """Global options that make buildah use exactly this storage."""
        # The driver is pinned: with another one buildah takes the same root for an empty store.
        return [
            "--root", str(self.root),
            "--runroot", str(self.runroot),
            "--storage-driver", self.driver,
        ]  # fmt: skip

    def container_file(self, container_id: str) -> Path:
        """The directory where buildah keeps what it knows of a working container."""
        return self.root / f"{self.driver}-containers" / container_id / "userdata"


def storage_of(options: Sequence[str]) -> StorageInfo | None:
    """The storage that global options name, ``None`` when they leave it to buildah."""
    named = dict(zip(options[::2], options[1::2], strict=False))
    try:
        root, runroot = Path(named["--root"]), Path(named["--runroot"])
        return StorageInfo(root, runroot, named["--storage-driver"])
    except KeyError:
        return None


def parse_info(output: str) -> StorageInfo:
    """The storage that ``buildah info`` tells of."""
    store = json.loads(output)["store"]
    return StorageInfo(
        root=Path(store["GraphRoot"]),
        runroot=Path(store["RunRoot"]),
        driver=str(store["GraphDriverName"]),
    )


def says_no_storage(output: str) -> bool:
    """Whether ``buildah info`` ended well although it could not open its storage."""
    found = json.loads(output)
    return isinstance(found, dict) and not found.get("store")
