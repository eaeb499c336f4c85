"""Where the containers and images are kept."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_zlayer.buildah.agent.records import StorageOptions
from pytest_zlayer.dataclass import dataclass


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
    def has_upper(self) -> bool:
        """Whether containers are mounts, with their changes in a directory of their own."""
        return self.driver == "overlay"

    @property
    def state(self) -> Path:
        """The directory of this project in it, for all who share the storage."""
        return self.root / "zlayer"

    @property
    def sessions(self) -> Path:
        """Where live sessions keep their locked journals."""
        return self.state / "sessions"

    @property
    def options(self) -> StorageOptions:
        """What names it to buildah."""
        return StorageOptions(str(self.root), str(self.runroot), self.driver)

    def container_file(self, container_id: str) -> Path:
        """The directory where buildah keeps what it knows of a working container."""
        return self.root / f"{self.driver}-containers" / container_id / "userdata"


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
