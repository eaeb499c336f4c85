"""Sources of ADD that lie elsewhere: telling them from paths, what they give, why they fail."""

from __future__ import annotations

from typing import Literal

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.remote_sources import is_git, is_url

RemoteKind = Literal["path", "http", "git"]


def remote_kind(source: str) -> RemoteKind:
    """What a source is: a path, a URL to download, or a git repository to clone."""
    if is_url(source):
        return "http"
    return "git" if is_git(source) else "path"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched of a remote source.

    Attributes:
        rootfs: the tree it lies in.
        place: absolute path in that tree.
        is_directory: a git checkout, else a single file.
        name: what the file is called inside a destination directory.
        mtime_ns: the time that its files get, nanoseconds since the epoch.
        time: when its server says that it was made, seconds since the epoch, or ``None``.
    """

    rootfs: Rootfs
    place: str
    is_directory: bool
    name: str = ""
    mtime_ns: int = 0
    time: int | None = None
