"""Where the storage is, remembered: ``buildah info`` of an unchanged installation says the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.commands.probe import Memory, binary_key
from pytest_zlayer.buildah.storage.info import StorageInfo

# What has nothing to do with where the storage is, and differs from terminal to terminal.
_ELSEWHERE = frozenset({
    "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "REGISTRY_AUTH_FILE",
    "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REGISTRIES_CONFIG_PATH",
})  # fmt: skip
_QUESTION = "storage"


class KnownStorage:
    """What ``buildah info`` has said of one storage, as long as nothing it depends on has changed.

    Args:
        binary: buildah.
        root, runroot: the storage that was named, ``None`` for the one of the configuration.
        environment: that of buildah.
    """

    def __init__(
        self,
        binary: Path,
        root: Path | None,
        runroot: Path | None,
        environment: Mapping[str, str],
    ) -> None:
        variables = {name: value for name, value in environment.items() if name not in _ELSEWHERE}
        configuration = {str(file): _state(file) for file in _configuration(environment)}
        self._memory = Memory(
            _file(root, environment),
            {
                **binary_key(binary), "root": root and root.absolute(),
                "runroot": runroot and runroot.absolute(), "variables": sorted(variables.items()),
                "configuration": sorted(configuration.items()),
            },
        )  # fmt: skip

    def recall(self) -> StorageInfo | None:
        """The storage, or ``None`` where buildah has to be asked."""
        match self._memory.get(_QUESTION):
            case {
                "root": str(root), "runroot": str(runroot), "driver": str(driver),
                "drivers": list(drivers),
            }:  # fmt: skip
                found = StorageInfo(Path(root), Path(runroot), driver)
                return found if _is_usable(found) and _drivers(found.root) == drivers else None
        return None

    def remember(self, storage: StorageInfo) -> None:
        """Note what buildah has said just now."""
        answer: dict[str, Any] = {
            "root": str(storage.root), "runroot": str(storage.runroot), "driver": storage.driver,
            "drivers": _drivers(storage.root),
        }  # fmt: skip
        self._memory.put(_QUESTION, answer)


def _file(root: Path | None, environment: Mapping[str, str]) -> Path:
    """Beside a storage that was named, else where the user's caches are."""
    if root is not None:
        return root.absolute() / "zlayer" / "storage.json"
    return _of_user(environment, "XDG_CACHE_HOME", ".cache") / "pytest-zlayer" / "storage.json"


def _of_user(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    """A directory of the user's, as the variable says or where it usually is."""
    return Path(environment.get(variable) or os.path.join(environment.get("HOME", "/"), usual))


def _configuration(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files that may say where the storage is."""
    folders = (
        Path("/etc/containers"),
        Path("/usr/share/containers"),
        _of_user(environment, "XDG_CONFIG_HOME", ".config") / "containers",
    )
    for folder in folders:
        yield folder / "storage.conf"
        yield from sorted(folder.glob("storage*.d/*"))
    for name in ("CONTAINERS_STORAGE_CONF", "_CONTAINERS_STORAGE_CONF"):
        if name in environment:
            yield Path(environment[name])


def _state(file: Path) -> tuple[int, ...] | None:
    """What changes with the contents of a file; ``None``: it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _drivers(root: Path) -> list[str]:
    """The directories of drivers: without a configured one, buildah takes the one it has used."""
    try:
        return sorted(one for one in os.listdir(root) if one.endswith(("-images", "-layers")))
    except OSError:
        return []


def _is_usable(storage: StorageInfo) -> bool:
    """Whether its places are there, and may be written to."""
    return all(
        os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)
        for place in (storage.root, storage.runroot, storage.sessions)
    )
