"""Removing what dead sessions left in a storage; it runs as a command of its own."""

from __future__ import annotations

import json
import os
import re
import sys
import time

from .cleaning import Leavings, clean
from .journal import Journal
from .server import note

_NAME = re.compile(r"([a-z0-9]+)-([a-z0-9]+)-([0-9a-f]{8})\.json")
# Seconds after which a journal without its final name is not just being written.
_UNFINISHED = 60.0


def sweep() -> int:
    """Cleans up after each dead session of the storage named on standard input.

    Prints one JSON object a swept session: its ``journal`` and the ``problems`` it left.
    """
    order = json.load(sys.stdin)
    directory = order["sessions"]
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.endswith(".json"):
            _sweep(path, order["buildah"], order["env"])
        elif name.endswith(".new"):
            _remove_unfinished(path)
    return 0


def _is_ours(session: dict[str, str]) -> bool:
    """Whether a journal names things of ours only: an empty name would stand for everything."""
    return (
        session.get("prefix", "").startswith("zl-")
        and session.get("images", "").startswith("localhost/zlayer/session/")
        and os.path.basename(session.get("tmpdir", "")).startswith("zlayer-")
    )


def _sweep(path: str, buildah: list[str], env: dict[str, str]) -> None:
    journal = Journal.take_dead(path)
    if journal is None:
        return
    written, *additions = list(journal.lines()) or [{}]
    session = written or _session_of(path, os.path.dirname(env["TMPDIR"]))
    if not _is_ours(session):
        return
    left = Leavings(buildah=buildah, env=env, prefix=session["prefix"], tmpdir=session["tmpdir"])
    left.record = journal.add
    left.images.append(session["images"])
    for line in additions:
        note(left, line)
    problems = clean(left)
    if not problems:
        journal.remove()
    sys.stdout.write(json.dumps({"journal": path, "problems": problems}) + "\n")


def _session_of(path: str, base: str) -> dict[str, str]:
    """What the journal would say that has lost its content, as after a power failure."""
    found = _NAME.fullmatch(os.path.basename(path))
    if found is None:
        return {}
    session, worker, directory = found.groups()
    return {
        "prefix": f"zl-{session}-{worker}-",
        "images": f"localhost/zlayer/session/{session}-{worker}/",
        "tmpdir": os.path.join(base, f"zlayer-{session}-{worker}-{directory}"),
    }


def _remove_unfinished(path: str) -> None:
    try:
        is_old = time.time() - os.stat(path).st_mtime > _UNFINISHED
    except OSError:
        return
    journal = Journal.take_dead(path) if is_old else None
    if journal is not None:
        journal.remove()
