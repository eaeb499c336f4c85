"""Removing what dead sessions left in the storage, without touching what lives or is not ours."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_zlayer.buildah.agent.journal import is_held
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.process.agent_process import agent_argv
from pytest_zlayer.buildah.process.command import Request
from pytest_zlayer.buildah.storage.info import StorageInfo

_PATIENCE = 300.0
_ENDING = 0.1


@dataclass(frozen=True, slots=True)
class Swept:
    """One dead session.

    Attributes:
        journal: the file that told of it.
        problems: what could not be removed, in words; the next sweep tries again.
    """

    journal: Path
    problems: tuple[str, ...]


def sweep(commander: Commander, storage: StorageInfo) -> tuple[Swept, ...]:
    """Cleans up after the dead sessions of a storage.

    A session is dead when nobody holds the lock of its journal. Several processes may sweep at
    once: each dead session falls to the one that gets its lock.
    """
    if not _any_dead(storage.sessions):
        return ()
    order = {
        "sessions": str(storage.sessions),
        "buildah": commander.argv([]),
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


def _any_dead(sessions: Path) -> bool:
    """Whether any journal is not held; looking first saves a process in the usual case.

    What watches the commands of a session that was killed holds its journal until they have
    ended, so what is held by others is looked at a moment later.
    """
    try:
        journals = [os.path.join(sessions, name) for name in os.listdir(sessions)]
    except OSError:
        return False
    if len(journals) > 1 and all(map(is_held, journals)):
        time.sleep(_ENDING)
    return not all(map(is_held, filter(os.path.exists, journals)))
