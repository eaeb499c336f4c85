"""Digests of many files: hashed in parallel, remembered as long as the files stay the same."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeAlias

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.copy.select import kept_xattrs
from pytest_zlayer.builder.copy.walk import Walked
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.stopping import Interrupted, go_on
from pytest_zlayer.waiting import Outcome

_VERSION = 1
_CHUNK = 1 << 20
# Below this many bytes handing a file to another thread costs more than hashing it here.
_SMALL = 1 << 16
# How long two changes may get the same time: a tick of the kernel where times have fractions of
# seconds, else what the coarsest file systems (FAT) have.
_FINE_STEP_NS = 10**8
_COARSE_STEP_NS = 2 * 10**9
_UNUSED_RUNS = 10

# size, mtime_ns, ctime_ns, device, inode
_Stat: TypeAlias = tuple[int, int, int, int, int]


class Digests:
    """Content digests of files, with a cache on disk.

    A remembered digest counts while size, times and inode are what they were. As in git's index,
    a file changed no earlier than shortly before its digest was taken is not remembered: it could
    be changed again without any of these telling.

    Args:
        cache_file: where digests are kept between runs; ``None``: nowhere.
        clock: nanoseconds since the epoch.
        threads: how many files are hashed at once.
    """

    def __init__(
        self,
        cache_file: Path | None,
        *,
        clock: Callable[[], int] = time.time_ns,
        threads: int | None = None,
    ) -> None:
        self._file = cache_file
        self._clock = clock
        self._threads = threads or min(os.cpu_count() or 1, 16)
        self._lock = Lock()
        self._known: dict[str, tuple[_Stat, str, int]] | None = None
        self._changed = False
        self.hashed = 0

    def of_files(
        self, files: Iterable[tuple[Rootfs, Walked]], check: Callable[[], None] = go_on
    ) -> Iterator[str]:
        """For each file, in order, a hexadecimal digest of its content and extended attributes.

        Args:
            files: each with the tree it is in.
            check: raises when this is to stop; called from several threads.

        Raises:
            CopyError: a file cannot be read.
        """
        over = threading.Event()  # nobody waits for the digests any more

        def go_on_hashing() -> None:
            check()
            if over.is_set():
                raise Interrupted

        waiting: list[str | Outcome[str]] = []
        pool = ThreadPoolExecutor(self._threads)
        try:
            for rootfs, node in files:
                key = _key(rootfs, node)
                known = self._remembered(key, node)
                if known is not None:
                    waiting.append(known)
                elif node.entry.kind == "file" and node.entry.size > _SMALL:
                    digest: Outcome[str] = Outcome()
                    waiting.append(digest)
                    pool.submit(digest.do, partial(self._take, key, rootfs, node, go_on_hashing))
                else:
                    waiting.append(self._take(key, rootfs, node, go_on_hashing))
            for one in waiting:
                yield one if isinstance(one, str) else one.result()
        finally:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
        self.save()

    def save(self) -> None:
        """Write the cache file, if anything changed; failures to write are not errors."""
        with self._lock:
            if self._file is None or not self._changed or self._known is None:
                return
            content = {"version": _VERSION, "files": self._surviving()}
            self._changed = False
            data = json.dumps(content, separators=(",", ":")).encode("ascii")
        try:
            _replace_file(self._file, data)
        except OSError:
            return

    # --- the cache

    def _remembered(self, key: str | None, node: Walked) -> str | None:
        if key is None:
            return None
        with self._lock:
            known = self._loaded()
            found = known.get(key)
            if found is None or found[0] != _stat(node):
                return None
            if found[2]:
                known[key] = (found[0], found[1], 0)
            return found[1]

    def _remember(self, key: str | None, node: Walked, started_ns: int, digest: str) -> None:
        latest = max(node.entry.mtime_ns, node.changed_ns)
        step = _FINE_STEP_NS if node.changed_ns % 10**9 else _COARSE_STEP_NS
        with self._lock:
            self.hashed += 1
            if key is not None and latest < started_ns - step:
                self._loaded()[key] = (_stat(node), digest, 0)
                self._changed = True

    def _loaded(self) -> dict[str, tuple[_Stat, str, int]]:
        if self._known is None:
            self._known = _load(self._file) if self._file else {}
        return self._known

    def _surviving(self) -> dict[str, list[object]]:
        """What is kept: entries that some recent run asked for."""
        known = self._known or {}
        return {
            key: [list(status), digest, unused + 1]
            for key, (status, digest, unused) in known.items()
            if unused < _UNUSED_RUNS
        }

    # --- hashing

    def _take(
        self, key: str | None, rootfs: Rootfs, node: Walked, check: Callable[[], None]
    ) -> str:
        started = self._clock()
        try:
            digest = _digest(rootfs, node, check)
        except OSError as error:
            raise CopyError(f"cannot read {node.place}: {error.strerror}") from error
        self._remember(key, node, started, digest)
        return digest


def _key(rootfs: Rootfs, node: Walked) -> str | None:
    """The name of a file in the cache; ``None`` when its tree cannot tell changes."""
    root = getattr(rootfs, "root", None)
    if root is None or not node.changed_ns:
        return None
    return f"{root}\0{node.place}"


def _stat(node: Walked) -> _Stat:
    entry = node.entry
    return (entry.size, entry.mtime_ns, node.changed_ns, *entry.inode)


def _digest(rootfs: Rootfs, node: Walked, check: Callable[[], None]) -> str:
    check()
    summary = hashlib.sha256()
    xattrs: Mapping[str, bytes] = {}
    if node.entry.kind == "file":
        with rootfs.open(node.place) as file:
            _feed(summary.update, file, node.entry.size, check)
            xattrs = _open_xattrs(file, rootfs, node.place)
    elif node.entry.kind == "directory":
        xattrs = rootfs.xattrs(node.place)
    kept = kept_xattrs(dict(xattrs)) if xattrs else {}
    if not kept:
        return summary.hexdigest()
    pairs = sorted((name, value.hex()) for name, value in kept.items())
    return hashlib.sha256(repr((summary.hexdigest(), pairs)).encode()).hexdigest()


def _open_xattrs(file: BinaryIO, rootfs: Rootfs, place: str) -> Mapping[str, bytes]:
    """Attributes of an open file, looked up without going down its path again."""
    try:
        descriptor = file.fileno()
        names = os.listxattr(descriptor)
        return {name: os.getxattr(descriptor, name) for name in names} if names else {}
    except (OSError, AttributeError):  # a member of an archive, or none of these on its file system
        return rootfs.xattrs(place)


def _feed(
    update: Callable[[bytes], None], file: BinaryIO, size: int, check: Callable[[], None]
) -> None:
    """Read a file to its end, which is most likely where its ``size`` says."""
    chunk = file.read(min(size + 1, _CHUNK))
    while chunk:
        update(chunk)
        if len(chunk) == size:
            return
        check()
        chunk = file.read(_CHUNK)


def _load(path: Path) -> dict[str, tuple[_Stat, str, int]]:
    """The cache file's content; empty when it is missing, damaged or of another version."""
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            return {}
        return {
            key: ((status[0], status[1], status[2], status[3], status[4]), digest, unused)
            for key, (status, digest, unused) in content["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return {}


def _replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
