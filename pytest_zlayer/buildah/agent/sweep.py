"""Removing what dead sessions left in a storage; it runs as a command of its own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from .cleaning import clean
from .journal import Journal
from .journal_check import BadJournal, read_checked
from .leftovers import Leftovers
from .records import StorageOptions


def sweep() -> int:
    """Cleans up after each dead session of the storage named on standard input.

    Prints one JSON object a dead session: its ``journal`` and the ``problems`` it left. A journal
    that cannot be believed is left alone; its problem is what is wrong with it.
    """
    order = json.load(sys.stdin)
    directory = order["sessions"]
    for name in sorted(os.listdir(directory)):
        if name.endswith(".json"):
            _sweep(os.path.join(directory, name), order)
    return 0


def _sweep(path: str, order: dict[str, Any]) -> None:
    journal = Journal.take_dead(path)
    if journal is None:
        return
    problems = _removed(journal, order)
    if problems:
        journal.close()
    else:
        journal.remove()
    sys.stdout.write(json.dumps({"journal": path, "problems": problems}) + "\n")
    sys.stdout.flush()


def _removed(journal: Journal, order: dict[str, Any]) -> list[str]:
    env = order["env"]
    try:
        session, additions = read_checked(journal, os.path.dirname(env["TMPDIR"]))
    except (BadJournal, OSError) as error:
        return [f"it is not trusted: {error}"]
    storage = StorageOptions(**order["storage"])
    left = Leftovers(order["binary"], storage, env, session["prefix"], session["tmpdir"])
    left.record = journal.add
    left.images.append(session["images"])
    for line in additions:
        left.note(line)
    return clean(left)
