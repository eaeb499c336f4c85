"""The files of working containers where they are mounted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.files.rootfs import AgentRootfs, LocalRootfs
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.lazy import LazyModule

# What no unchanged build needs is loaded with the first step that is executed.
if TYPE_CHECKING:
    from pytest_zlayer.buildah.agent.files import upper
    from pytest_zlayer.buildah.files import changes as file_changes
    from pytest_zlayer.buildah.files.changes import AgentChanges, LocalChanges
else:
    file_changes = LazyModule("pytest_zlayer.buildah.files.changes")
    upper = LazyModule("pytest_zlayer.buildah.agent.files.upper")


class MountedContainers:
    """Knows which containers this process has mounted, and where.

    Args:
        mount: mounts a container; its directory.
        ask: asks the agent.
        process: runs a program under the agent.
        rootless: whether they can be read by the agent only, in its user namespace.
        has_upper: whether the storage keeps what a container has changed apart.
    """

    def __init__(
        self,
        mount: Callable[[str], Path],
        ask: Callable[..., tuple[Any, Sequence[int]]],
        process: Callable[[Sequence[str]], Completed],
        *,
        rootless: bool,
        has_upper: bool,
    ) -> None:
        self._mount = mount
        self._ask = ask
        self._process = process
        self._rootless = rootless
        self._has_upper = has_upper
        self._known: dict[str, LocalRootfs | AgentRootfs] = {}

    def mount(self, container: str) -> LocalRootfs | AgentRootfs:
        """The files of a container, mounted now."""
        files = self.at(self._mount(container))
        self._known[container] = files
        return files

    def of(self, container: str) -> LocalRootfs | AgentRootfs:
        """The files of a container, mounted now or before."""
        known = self._known.get(container)
        if known is not None and (self._rootless or self._is_mounted(known.root)):
            return known
        return self.mount(container)

    def _is_mounted(self, root: Path) -> bool:
        """Whether what is mounted there is still there: anybody may unmount it."""
        if not self._has_upper:
            return True
        try:
            return root.stat().st_dev != root.parent.stat().st_dev
        except OSError:
            return False

    def forget(self, container: str) -> None:
        """Where a container was mounted counts no more."""
        self._known.pop(container, None)

    def at(self, root: Path) -> LocalRootfs | AgentRootfs:
        """The files below a directory that belongs to a container."""
        return AgentRootfs(root, self._ask_about) if self._rootless else LocalRootfs(root)

    def _ask_about(self, question: str, root: str, path: str) -> tuple[Any, Sequence[int]]:
        return self._ask(question, root=root, path=path)

    def changes(self, tree: LocalRootfs | AgentRootfs) -> LocalChanges | AgentChanges | None:
        """What the container mounted at ``tree`` has changed, if that is kept apart."""
        root = tree.root
        if not self._has_upper:
            return None
        if not self._rootless:
            found = upper.upper_of(str(root))
            return file_changes.LocalChanges(root, Path(found)) if found else None
        found = self._ask("upper", root=str(root))[0]
        if not found:
            return None
        return file_changes.AgentChanges(root, Path(found), self._ask, self._process)
