"""Removing what dead sessions left in a storage; it runs as a command of its own."""

from __future__ import annotations

import json
import os
import sys

from .cleaning import Leavings, clean
from .journal import Journal
from .server import note


def sweep() -> int:
    """Cleans up after each dead session of the storage named on standard input.

    Prints one JSON object a swept session: its ``journal`` and the ``problems`` it left.
    """
    order = json.load(sys.stdin)
    directory = order["sessions"]
    for name in sorted(os.listdir(directory)):
        if name.endswith(".json"):
            _sweep(os.path.join(directory, name), order["buildah"], order["env"])
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
    session, *additions = list(journal.lines()) or [{}]
    if not _is_ours(session):
        # Not written by us, or cut off before there was anything to remove.
        return
    left = Leavings(
        buildah=buildah, env=env, prefix=session["prefix"], tmpdir=session["tmpdir"]
    )
    left.images.append(session["images"])
    for line in additions:
        note(left, line)
    problems = clean(left)
    if not problems:
        journal.remove()
    sys.stdout.write(json.dumps({"journal": path, "problems": problems}) + "\n")
