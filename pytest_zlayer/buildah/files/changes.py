"""What a mounted container has changed on its image, read where the overlay keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent.files import upper
from pytest_zlayer.buildah.agent.files.unpack import unpack
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.files.rootfs import AgentRootfs, LocalRootfs
from pytest_zlayer.buildah.process.agent_process import agent_argv
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One file of the upper directory.

    Two of the same path that are equal are the same file, untouched since.

    Attributes:
        path: absolute inside the container; odd bytes as surrogate escapes.
        mode: type and permission bits, as in ``stat``.
        uid, gid: owner.
        size: bytes.
        mtime_ns, ctime_ns: nanoseconds since the epoch.
        rdev: of a device node. A character device 0 stands for a file that was deleted.
        inode: its number: two names with the same are hard links of one file.
        target: where a symlink points.
        opaque: a directory that hides what lower layers have in it.
        xattrs: extended attributes that layers carry.
    """

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    rdev: int
    inode: int
    target: str | None
    opaque: bool
    xattrs: tuple[tuple[str, bytes], ...]


class LocalChanges:
    """The changes of a container whose files this process can read and write.

    ``files`` is the upper directory itself, to read changed files from.
    """

    def __init__(self, root: Path, upper: Path) -> None:
        self._root = root
        self._upper = upper
        self.files = LocalRootfs(upper)

    def scan(self) -> Mapping[str, Change]:
        """Everything that was changed, by path, parents first."""
        return _changes(upper.scan(str(self._upper)))

    def apply(self, layer: Path, check: Callable[[], None]) -> None:
        """Puts an uncompressed layer, as this project writes them, on the container's files.

        ``check`` raises when this is to stop.
        """
        unpack(str(self._root), str(layer), check=check)


class AgentChanges:
    """The same where only the agent can."""

    def __init__(
        self,
        root: Path,
        upper: Path,
        ask: Callable[..., tuple[Any, Sequence[int]]],
        process: Callable[[Sequence[str]], Completed],
    ) -> None:
        self._root = root
        self._upper = upper
        self._ask = ask
        self._process = process
        self.files = AgentRootfs(upper, lambda op, at, path: ask(op, root=at, path=path))

    def scan(self) -> Mapping[str, Change]:
        """Everything that was changed, by path, parents first."""
        return _changes(self._ask("scan", root=str(self._upper))[0])

    def apply(self, layer: Path, check: Callable[[], None]) -> None:
        """Puts an uncompressed layer, as this project writes them, on the container's files."""
        check()
        done = self._process(agent_argv("unpack", str(self._root), str(layer)))
        if done.exit_code != 0:
            said = "\n".join(done.stderr_tail[-1:]) or f"exit status {done.exit_code}"
            raise EngineError(Failure("environment", f"a layer cannot be unpacked: {said}"))


def _changes(found: Sequence[Sequence[Any]]) -> dict[str, Change]:
    made: dict[str, Change] = {}
    for facts in found:
        xattrs = tuple((key, text.encode("latin-1")) for key, text in facts[-1])
        made[facts[0]] = Change(*[*facts[:-1], xattrs])
    return made
