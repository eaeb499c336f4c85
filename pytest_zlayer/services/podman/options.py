"""The options of ``podman create`` for a service, from the fields of its request."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_zlayer.services.request import ServeRequest


def option_words(request: ServeRequest) -> list[str]:
    """The options of podman for what a request asks for, in the order of its fields."""
    words: list[str] = []
    words += ["--user", request.user] if request.user is not None else []
    words += ["--workdir", request.workdir] if request.workdir is not None else []
    for mount in request.mounts:
        end = ":ro" if mount.readonly else ""
        words += ["--volume", f"{mount.source}:{mount.target}{end}"]
    for target, size in request.tmpfs.items():
        words += ["--tmpfs", f"{target}:size={size}" if size else target]
    words += ["--read-only"] if request.read_only else []
    words += ["--shm-size", f"{request.shm_size}b"] if request.shm_size is not None else []
    words += _repeated("--ulimit", [f"{name}={one}" for name, one in request.ulimits.items()])
    words += ["--memory", f"{request.memory}b"] if request.memory is not None else []
    words += ["--privileged"] if request.privileged else []
    words += _repeated("--cap-add", request.cap_add)
    words += _repeated("--cap-drop", request.cap_drop)
    words += _repeated("--device", request.devices)
    words += ["--hostname", request.hostname] if request.hostname is not None else []
    return words + _repeated("--label", [f"{name}={one}" for name, one in request.labels.items()])


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
