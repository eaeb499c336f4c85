"""The commits of one process: what is left of one that was cut off is removed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from pytest_zlayer.buildah.commands import images
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.errors import EngineError

# The exit status of a buildah that has failed by itself.
_FAILED = 125


class Commits:
    """Commits containers, and knows which commits were begun and not seen to succeed.

    Args:
        commander: runs buildah.
        note: writes a line into the journal of the agent.
    """

    def __init__(self, commander: Commander, note: Callable[[Mapping[str, Any]], None]) -> None:
        self._commander = commander
        self._note = note
        self._begun: dict[str, list[str]] = {}

    def commit(
        self, container: str, options: list[str], *, name: str | None, timeout: float | None
    ) -> str:
        """Commits a container as an image; its id."""
        # Noted first: what a commit leaves when it is cut off can only be removed by another one.
        self._note({"commit": container, "options": options})
        self._begun[container] = options
        try:
            identifier = images.commit(
                self._commander, container, options, name=name, timeout=timeout
            )
        except EngineError as error:
            if error.exit_code == _FAILED:  # it ended by itself, and left nothing
                self._forget(container)
            raise
        self._forget(container)
        return identifier

    def undo(self, container: str) -> None:
        """Removes what a commit of this container has left, as far as that is possible."""
        # Without the container nobody could.
        if container in self._begun:
            with contextlib.suppress(EngineError):
                images.undo_commit(self._commander, container, self._begun[container])
                self._forget(container)

    def _forget(self, container: str) -> None:
        self._begun.pop(container, None)
        self._note({"drop commit": container})
