"""Telling URLs and git references among the sources of ADD from paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pytest_zlayer.buildah.rootfs import Rootfs

RemoteKind = Literal["path", "http", "git"]

_SCP_STYLE = re.compile(r"[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:.*", re.DOTALL)


def remote_kind(source: str) -> RemoteKind:
    """What a source is: a path, a URL to download, or a git repository to clone.

    An http(s) URL is a git repository when its path ends with ``.git``.
    """
    scheme, separator, _ = source.partition("://")
    if not separator:
        return "git" if _SCP_STYLE.fullmatch(source) else "path"
    scheme = scheme.lower()
    if scheme in ("git", "ssh"):
        return "git"
    if scheme not in ("http", "https"):
        return "path"
    try:
        path = urlsplit(source).path
    except ValueError:
        path = ""
    return "git" if path.endswith(".git") else "http"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a remote source came down to on this machine.

    Attributes:
        rootfs: the tree it lies in.
        place: absolute path in that tree.
        is_directory: a git checkout, else a single file.
        name: what the file is called inside a destination directory.
        mtime_ns: the file's time, nanoseconds since the epoch.
    """

    rootfs: Rootfs
    place: str
    is_directory: bool
    name: str = ""
    mtime_ns: int = 0
