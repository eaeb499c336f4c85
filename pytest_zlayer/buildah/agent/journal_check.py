"""Whether a journal may be believed: what it names is removed, so it must name nothing else.

Everything but the parent of the temporary directory follows from the name of the journal's file.
That directory is believed to be one of a session when it carries the mark that is made with it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from typing import Any

from .journal import Journal

# The file that marks a temporary directory as that of a session; it holds the journal's name.
MARK = ".zlayer-session"

_NAME = re.compile(r"([a-z0-9]{1,32})-([a-z0-9]{1,16})-([0-9a-f]{8})\.json")
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]*[A-Za-z0-9_.-])?")
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_COMMIT_WORD = re.compile(
    r"--(?:quiet|squash|identity-label=false|format|timestamp|signature-policy)|oci|docker|[0-9]+"
)
# Bytes; a journal has some hundred for each image that is being made.
_LARGEST = 16 * 1024 * 1024

Session = dict[str, str]


class BadJournal(Exception):
    """A journal is not what a session of this project writes; the message says why."""


def session_named(path: str, base: str) -> Session:
    """What a journal of this name says, with a temporary directory below ``base``.

    Raises:
        BadJournal: no session has a journal of this name.
    """
    found = _NAME.fullmatch(os.path.basename(path))
    if found is None:
        raise BadJournal("its name is not that of a journal")
    session, worker, directory = found.groups()
    return {
        "prefix": f"zl-{session}-{worker}-",
        "images": f"localhost/zlayer/session/{session}-{worker}/",
        "tmpdir": os.path.join(base, f"zlayer-{session}-{worker}-{directory}"),
    }


def read_checked(journal: Journal, base: str) -> tuple[Session, list[dict[str, Any]]]:
    """The session that a dead journal tells of, and its further lines.

    Args:
        base: where the temporary directory was if the journal has lost its content, as after a
            power failure.

    Raises:
        BadJournal: something in it is not what a session writes.
    """
    expected = session_named(journal.path, base)
    if journal.size() > _LARGEST:
        raise BadJournal("it is too large")
    head, *lines = list(journal.lines()) or [{}]
    session = expected if head == {} else _checked_session(head, expected)
    _check_directory(session["tmpdir"], os.path.basename(journal.path))
    for number, line in enumerate(lines, 2):
        if not _is_line(line, session):
            raise BadJournal(f"line {number} is not one that a session writes")
    return session, lines


def _checked_session(head: object, expected: Session) -> Session:
    if not isinstance(head, dict):
        raise BadJournal("its first line is no object")
    session = {name: head.get(name) for name in expected}
    tmpdir = session["tmpdir"]
    if not isinstance(tmpdir, str) or "\0" in tmpdir or os.path.normpath(tmpdir) != tmpdir:
        raise BadJournal("it names no temporary directory")
    parent, name = os.path.split(tmpdir)
    expected = {**expected, "tmpdir": os.path.join(parent, os.path.basename(expected["tmpdir"]))}
    if session != expected or not os.path.isabs(tmpdir):
        raise BadJournal(f"it is not the journal of {name!r}")
    return expected


def _check_directory(path: str, journal: str) -> None:
    try:
        found = os.lstat(path)
    except OSError:
        return  # gone, or never made
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise BadJournal(f"{path} is not a directory of this user")
    if os.listdir(path) and _mark_of(path) not in ("", journal):
        raise BadJournal(f"{path} is not the directory of this session")


def _mark_of(directory: str) -> str | None:
    """What the mark says; after a power failure it may say nothing."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(os.path.join(directory, MARK), flags)
    except OSError:
        return None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read(256).strip("\0")


def _is_line(line: object, session: Session) -> bool:
    match line:
        case {"image": str(name)} | {"drop image": str(name)}:
            return _IMAGE.fullmatch(name) is not None
        case {"id": str(identifier)} | {"drop id": str(identifier)}:
            return _HEX.fullmatch(identifier) is not None
        case {"commit": str(container), "options": list(options)}:
            return _is_own(container, session) and _are_commit_options(options, session)
        case {"drop commit": str()} | {"drop traces": str()}:
            return True
        case {"podman": "own" | "users", **more}:
            return not more
        case {"traces": str(), **traces}:
            return _are_traces(traces)
        case _:
            return False


def _is_own(container: str, session: Session) -> bool:
    is_name = _CONTAINER.fullmatch(container) is not None
    return is_name and container.startswith(session["prefix"])


def _are_commit_options(options: Sequence[object], session: Session) -> bool:
    policy = os.path.join(session["tmpdir"], "policy.json")
    return all(
        isinstance(one, str) and (one == policy or _COMMIT_WORD.fullmatch(one)) for one in options
    )


def _are_traces(traces: dict[Any, Any]) -> bool:
    checks: dict[str, Callable[[object], bool]] = {
        "layers": lambda value: _all_match(value, _HEX),
        "blobs": lambda value: _all_match(value, _DIGEST),
        "above": lambda value: value in (None, "") or _all_match([value], _HEX),
        "image": lambda value: value is None or _all_match([value], _HEX),
        "since": lambda value: isinstance(value, (int, float)),
    }
    return all(name in checks and checks[name](value) for name, value in traces.items())


def _all_match(values: object, pattern: re.Pattern[str]) -> bool:
    if not isinstance(values, list):
        return False
    return all(isinstance(one, str) and pattern.fullmatch(one) is not None for one in values)
