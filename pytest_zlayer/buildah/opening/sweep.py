"""Removing what dead sessions left in the storage, in the background of the session that opens it.

What lives and what others made is not touched.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict
from pathlib import Path

from pytest_zlayer.buildah.agent.journal import is_dead, is_foreign
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.opening.unfinished import remove_unfinished
from pytest_zlayer.buildah.process.command import Request
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.waiting import join

_PATIENCE = 300.0
_ENDING = 0.1
_FOREIGN = ("it is not trusted: it is no file of this user",)


@dataclass(frozen=True, slots=True)
class Swept:
    """One dead session.

    Attributes:
        journal: the file that names it.
        problems: what could not be removed, in words; the next sweep tries again.
    """

    journal: Path
    problems: tuple[str, ...]


class Sweep:
    """Cleans up after the dead sessions of a storage, in a thread. Builds need not wait for it.

    Args:
        commander: gives buildah its commands.
        storage: where they were.
        own: the journal of the session that opens it.
    """

    def __init__(self, commander: Commander, storage: StorageInfo, own: Path) -> None:
        self._commander = commander
        self._storage = storage
        self._own = own
        self._swept: tuple[Swept, ...] = ()
        self._thread = threading.Thread(target=self._work, name="zlayer-sweep", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until it has ended, or for so many seconds; whether it has ended."""
        return join(self._thread, seconds)

    def swept(self) -> tuple[Swept, ...]:
        """The dead sessions it has met; waits until it has ended."""
        self.wait()
        return self._swept

    def _work(self) -> None:
        try:
            self._swept = sweep(self._commander, self._storage, self._own)
        except (EngineError, EngineUnusable, OSError, ValueError):
            return  # this session is ending; the journals stay for the next one


def sweep(commander: Commander, storage: StorageInfo, own: Path) -> tuple[Swept, ...]:
    """Cleans up after the dead sessions of a storage.

    A session is dead when nobody holds the lock of its journal. Several processes may sweep at
    once: each dead session falls to the one that gets its lock.
    """
    remove_unfinished(storage)
    foreign = tuple(Swept(path, _FOREIGN) for path in _foreign(storage.sessions))
    swept = _sweep(commander, storage) if _any_dead(storage.sessions, own.name) else ()
    return (*foreign, *swept)


def _foreign(sessions: Path) -> list[Path]:
    try:
        return sorted(path for path in sessions.iterdir() if is_foreign(str(path)))
    except OSError:
        return []


def _sweep(commander: Commander, storage: StorageInfo) -> tuple[Swept, ...]:
    with LOADING:
        from pytest_zlayer.buildah.process.agent_process import agent_argv

    order = {
        "sessions": str(storage.sessions),
        "binary": str(commander.binary),
        "storage": asdict(storage.options),
        "env": dict(commander.env),
    }
    done = commander.runner.run(
        Request(
            argv=agent_argv("sweep"),
            env=commander.env,
            stdin=json.dumps(order).encode("ascii"),
            timeout=_PATIENCE,
        )
    )
    reports = [json.loads(line) for line in done.stdout_tail if line.startswith("{")]
    return tuple(Swept(Path(one["journal"]), tuple(one["problems"])) for one in reports)


def _any_dead(sessions: Path, own: str) -> bool:
    """Whether any session is dead; looking first saves a process in the usual case.

    What watches the commands of a session that was killed holds its journal until they have
    ended, so what is held by others is looked at a moment later.
    """
    try:
        names = [name for name in os.listdir(sessions) if name != own]
    except OSError:
        return False
    journals = [os.path.join(sessions, name) for name in names]
    if journals and not any(map(is_dead, journals)):
        time.sleep(_ENDING)
    return any(map(is_dead, journals))
