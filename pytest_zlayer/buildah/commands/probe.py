"""Version and features of the installed buildah: asked of the binary once, remembered on disk."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.lazy import late_pattern, lazy

OLDEST = Version("1.28")
_VERSION = late_pattern(r"version[ :]+v?(\d+(?:\.\d+)*)")


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


class Features:
    """What this buildah's own ``--help`` says it knows: asked when it matters, then remembered.

    Args:
        help_of: the help text of a command. May raise ``EngineError``.
        memory: where answers are remembered.
    """

    def __init__(self, help_of: Callable[[str], str], memory: Memory) -> None:
        self._help_of = help_of
        self._memory = memory

    @lazy
    def pull_newer(self) -> bool:
        """``pull --policy newer``."""
        return self._knows("pull", r"--policy\b.*\bnewer\b")

    @lazy
    def commit_identity_label(self) -> bool:
        """``commit --identity-label``."""
        return self._knows("commit", "--identity-label")

    def _knows(self, command: str, pattern: str) -> bool:
        question = f"{command} --help: {pattern}"
        known = self._memory.get(question)
        if not isinstance(known, bool):
            known = re.search(pattern, self._help_of(command)) is not None
            self._memory.put(question, known)
        return known


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


def version_from(remembered: Any) -> Version | None:
    """A version out of the memory file, ``None`` when it holds something else."""
    try:
        return Version(remembered)
    except (InvalidVersion, TypeError):
        return None


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
