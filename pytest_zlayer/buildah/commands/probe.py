"""What the installed buildah is and can do: asked of the binary once, then remembered on disk."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

OLDEST = Version("1.28")
_VERSION = late_pattern(r"version[ :]+v?(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Features:
    """What this buildah's own ``--help`` says it knows.

    Attributes:
        pull_newer: ``pull --policy newer``.
        commit_identity_label: ``commit --identity-label``.
    """

    pull_newer: bool
    commit_identity_label: bool


def parse_version(output: str) -> Version:
    """The version from ``buildah --version``.

    Raises:
        EngineUnusable: too old, or the program is not buildah.
    """
    found = _VERSION.search(output)
    try:
        version = Version(found[1] if found else "")
    except InvalidVersion:
        raise EngineUnusable(
            f"this program does not answer like buildah: {output.strip()[:200]!r}",
            hint="check --zlayer-buildah",
        ) from None
    if version < OLDEST:
        raise EngineUnusable(
            f"buildah {version} is too old: {OLDEST} or newer is needed",
            hint="upgrade buildah",
        )
    return version


def ask_features(help_of: Callable[[str], str]) -> Features:
    """Learns what is known from the help texts of the commands."""
    pull = help_of("pull")
    return Features(
        pull_newer=bool(re.search(r"--policy\b.*\bnewer\b", pull)),
        commit_identity_label="--identity-label" in help_of("commit"),
    )


class Memory:
    """A small file of answers that hold as long as the binary and the boot are the same."""

    def __init__(self, file: Path, key: Mapping[str, object]) -> None:
        self._file = file
        self._key = json.dumps({name: str(value) for name, value in sorted(key.items())})

    def get(self, question: str) -> Any | None:
        """The remembered answer, ``None`` when there is none. It is whatever the file holds."""
        return self._load().get(question)

    def put(self, question: str, answer: Any) -> None:
        """Remembers an answer; a storage that cannot be written to just forgets it."""
        content = {"key": self._key, "answers": {**self._load(), question: answer}}
        unfinished = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            unfinished.replace(self._file)
        except OSError:
            return

    def _load(self) -> dict[str, Any]:
        try:
            content = json.loads(_read_file(self._file))
        except (OSError, ValueError, RecursionError):
            return {}
        match content:
            case {"key": self._key, "answers": dict(answers)}:
                return answers
        return {}


def _read_file(path: Path) -> bytes:
    """What is in a file of this user; without waiting for the other end of a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        return file.read()


def boot_id() -> str:
    """What this boot of the machine is called; empty where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def binary_key(binary: Path) -> dict[str, object]:
    """What changes when the binary, the user, or the boot changes."""
    found = binary.stat()
    return {
        "binary": binary,
        "size": found.st_size,
        "mtime": found.st_mtime_ns,
        "uid": os.geteuid(),
        "boot": boot_id(),
    }


def features_from(remembered: Any) -> Features | None:
    """Features out of the memory file, ``None`` when it holds something else."""
    try:
        found = Features(**remembered)
    except TypeError:
        return None
    return found if all(isinstance(one, bool) for one in asdict(found).values()) else None


def version_from(remembered: Any) -> Version | None:
    """A version out of the memory file, ``None`` when it holds something else."""
    try:
        return Version(remembered)
    except (InvalidVersion, TypeError):
        return None


def features_to(features: Features) -> dict[str, bool]:
    """Features as the memory file keeps them."""
    return asdict(features)


def needs_namespace() -> bool:
    """Whether buildah needs a user namespace: not root, or root without the right to mount."""
    if os.geteuid() != 0:
        return True
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    can_mount = 1 << 21
    return effective is not None and not int(effective[1], 16) & can_mount
