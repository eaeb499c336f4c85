"""Finding the buildah binary, with a hint on how to install it where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pytest_zlayer.buildah.errors import EngineMissing

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALL = {
    "debian": "apt-get install buildah",
    "ubuntu": "apt-get install buildah",
    "fedora": "dnf install buildah",
    "rhel": "dnf install buildah",
    "centos": "dnf install buildah",
    "suse": "zypper install buildah",
    "opensuse": "zypper install buildah",
    "arch": "pacman -S buildah",
    "alpine": "apk add buildah",
}
_ELSEWHERE = "see https://github.com/containers/buildah/blob/main/install.md"


def search_path(environment: Mapping[str, str]) -> str:
    """Where programs are looked for; the usual places when the environment has no PATH."""
    return environment.get("PATH") or _DEFAULT_PATH


def locate(
    buildah: str | None,
    environment: Mapping[str, str],
    os_release: Path = Path("/etc/os-release"),
) -> Path:
    """The binary to use: the one named, else the first on PATH.

    Raises:
        EngineMissing: there is none; it says how to install it on this system.
    """
    name = buildah or "buildah"
    found = shutil.which(os.path.expanduser(name), path=search_path(environment))
    if found is not None:
        return Path(found).absolute()
    if buildah is not None:
        raise EngineMissing(
            f"there is no program {buildah!r} to use as buildah",
            hint="check --zlayer-buildah (ZLAYER_BUILDAH, zlayer_buildah)",
        )
    raise EngineMissing("buildah is not installed", hint=install_hint(os_release))


def install_hint(os_release: Path) -> str:
    """The command that installs buildah on the system this file describes."""
    fields = _os_release(os_release)
    for identifier in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        command = _INSTALL.get(identifier.partition("-")[0])
        if command is not None:
            return f"install it with: {command}"
    return f"install it with the package manager of this system, or {_ELSEWHERE}"


def _os_release(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
