"""Which shell an image has for a person to type into."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.errors import UsageError

_SHELLS = ("/bin/bash", "/bin/sh", "/bin/ash", "/busybox/sh")


def find_shell(rootfs: Rootfs, configured: Sequence[str] | None, where: str) -> str:
    """The path of a shell in ``rootfs``.

    Args:
        rootfs: the files.
        configured: the words of SHELL, if there is one: its program comes first.
        where: what has these files, for the message.

    Raises:
        UsageError: there is none.
    """
    first = tuple(one for one in (configured or ())[:1] if posixpath.isabs(one))
    for path in (*first, *_SHELLS):
        if rootfs.exists(path):
            return path
    raise UsageError(f"{where} has no shell", hint=f"looked for: {', '.join((*first, *_SHELLS))}")
