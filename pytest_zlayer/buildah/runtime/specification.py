"""buildah's specification of a container: what of it holds for every container of a storage."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_zlayer.dataclass import dataclass

# What this module knows how to carry over to another container. With anything else in a
# specification, buildah is left to write each one itself.
_KNOWN = {
    "": {"ociVersion", "process", "root", "hostname", "mounts", "linux", "annotations"},
    "process": {
        "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges",
        "apparmorProfile", "oomScoreAdj",
    },
    "linux": {
        "resources", "namespaces", "maskedPaths", "readonlyPaths", "seccomp", "devices",
        "rootfsPropagation", "sysctl",
    },
}  # fmt: skip
_NAMESPACES = {"pid", "ipc", "uts", "mount", "network", "cgroup"}


class NotUnderstood(Exception):
    """There is something in a specification, or in a command, that only buildah knows about."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What of a command decides which specification buildah makes for it.

    Attributes:
        network: ``host`` or ``none``.
        is_root: whether it runs as root; other users have fewer capabilities.
        capabilities: what it gets on top of the usual ones; system calls are filtered by them.
    """

    network: str
    is_root: bool
    capabilities: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As it is remembered."""
        words = (self.network, "root" if self.is_root else "user", *self.capabilities)
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file that buildah makes for a container, such as ``/etc/hosts``."""

    text: str
    mode: int


@dataclass(frozen=True, slots=True)
class Specification:
    """What buildah asked the OCI runtime for, when it ran a command in a container we know.

    Attributes:
        config: ``config.json``, with the values of that container and command.
        files: the files mounted into it, by their path in the container.
        before, options: words of the runtime's command line, before and after ``create``.
        container: name and id of that container.
    """

    config: Mapping[str, Any]
    files: Mapping[str, HostFile]
    before: Sequence[str]
    options: Sequence[str]
    container: tuple[str, str]

    @property
    def host_name(self) -> str:
        """What that container is called on the network."""
        return host_name(self.container[1])


def host_name(container_id: str) -> str:
    """What buildah calls a container on the network."""
    return container_id[:12]


def understand(taken: Mapping[str, Any], container: tuple[str, str]) -> Specification:
    """The specification that was taken from this container.

    Args:
        taken: what the stand-in for the runtime wrote: ``arguments``, ``bundle``, ``config``
            and ``files``.
        container: name and id.

    Raises:
        NotUnderstood: it has something that may not hold for other containers.
    """
    try:
        return _understand(taken, container)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotUnderstood(f"unexpected specification: {error!r}") from error


def _understand(taken: Mapping[str, Any], container: tuple[str, str]) -> Specification:
    config, bundle = taken["config"], str(taken["bundle"])
    _check_keys(config)
    if config.get("hostname") != host_name(container[1]):
        raise NotUnderstood(f"host name {config.get('hostname')!r}")
    before, options = _words(taken["arguments"], bundle)
    files = {
        str(mount["destination"]): _file(taken["files"][mount["source"]])
        for mount in config["mounts"]
        if _is_from(mount, bundle)
    }
    return Specification(config, files, before, options, container)


def _check_keys(config: Mapping[str, Any]) -> None:
    for name, known in _KNOWN.items():
        part = config[name] if name else config
        unknown = {key for key, value in part.items() if value} - known
        if unknown:
            raise NotUnderstood(f"{name or 'specification'}: {', '.join(sorted(unknown))}")
    for one in config["linux"]["namespaces"]:
        if one["type"] not in _NAMESPACES or one.get("path"):
            raise NotUnderstood(f"namespace {one}")


def _is_from(mount: Mapping[str, Any], bundle: str) -> bool:
    """Whether something is mounted that buildah has put into the bundle."""
    return str(mount.get("source") or "").startswith(f"{bundle}/")


def _file(found: Mapping[str, Any]) -> HostFile:
    return HostFile(str(found["text"]), int(found["mode"]))


def _words(arguments: Sequence[str], bundle: str) -> tuple[list[str], list[str]]:
    """The options of the runtime and those of its ``create``, without what is ours to say."""
    at = arguments.index("create")
    before = [word for word in arguments[:at] if not word.startswith("--root")]
    after = list(arguments[at + 1 : -1])
    for option in ("--bundle", "--pid-file"):
        place = after.index(option)
        del after[place : place + 2]
    if not all(word.startswith("--") and bundle not in word for word in (*before, *after)):
        raise NotUnderstood(f"arguments {' '.join(arguments)}")
    return before, after


def to_json(one: Specification) -> dict[str, Any]:
    """As it is remembered."""
    return {
        "config": one.config,
        "files": {path: [file.text, file.mode] for path, file in one.files.items()},
        "before": list(one.before),
        "options": list(one.options),
        "container": list(one.container),
    }


def from_json(known: Any) -> Specification | None:
    """What was remembered; ``None`` when it is something else."""
    try:
        name, identifier = known["container"]
        _check_keys(known["config"])
        return Specification(
            config=dict(known["config"]),
            files={path: HostFile(*file) for path, file in known["files"].items()},
            before=list(known["before"]),
            options=list(known["options"]),
            container=(name, identifier),
        )
    except (NotUnderstood, LookupError, TypeError, ValueError, AttributeError):
        return None


def mount_depth(destination: str) -> int:
    """How deep below the root something is mounted: what is deeper has to come later."""
    return len([name for name in os.path.normpath(destination).split("/") if name])
