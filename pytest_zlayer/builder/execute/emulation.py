"""Whether this machine can execute programs of another architecture."""

from __future__ import annotations

import platform
from pathlib import Path

from pytest_zlayer.dockerfile.values.platforms import host_platform

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_ALSO = {"amd64": {"386"}, "arm64": {"arm"}}
_QEMU_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "loong64": "loongarch64"}


def can_execute(architecture: str, *, binfmt: Path = _BINFMT) -> bool:
    """Whether programs of ``architecture`` (``amd64``, ``arm64``…) run here, emulated or not."""
    native = host_platform(platform.machine()).architecture
    if architecture in {"", native} or architecture in _ALSO.get(native, set()):
        return True
    return (binfmt / f"qemu-{_QEMU_NAMES.get(architecture, architecture)}").exists()
