"""Processes that outlive their parents."""

from __future__ import annotations

import signal

from .descendants import children, read_quietly

# Characters that are shown of a command.
_LONGEST = 120


class Orphans:
    """The children of the process that adopts them.

    Args:
        parent: that process.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent
        # By the number that they have themselves: name and command line.
        self._known: dict[int, tuple[str, str]] = {}

    def look(self) -> None:
        """Notes what they are now.

        Of one that has ended the kernel keeps the name of its program, until it is collected. The
        command line is then the one seen before, if that was of the same program.
        """
        found: dict[int, tuple[str, str]] = {}
        for pid in children(self._parent):
            facts = _status(pid)
            if "NSpid" not in facts:
                continue
            number, name = int(facts["NSpid"].split()[-1]), facts.get("Name", "")
            line = read_quietly(f"/proc/{pid}/cmdline")
            before = self._known.get(number, ("", ""))
            found[number] = (name, _readable(line) or (before[1] if before[0] == name else ""))
        self._known = found

    def ending(self, number: int, code: int) -> str:
        """How one has ended, in words; ``code``: as of ``os.waitstatus_to_exitcode``."""
        name, command = self._known.get(number, ("", ""))
        known = f" ({command or name})" if command or name else ""
        return f"process {number}{known} ended: {_how(code)}"


def first_of_namespace(pid: int) -> int:
    """The process that adopts orphans in the process namespace of ``pid``."""
    while True:
        facts = _status(pid)
        numbers = facts.get("NSpid", "").split()
        if len(numbers) < 2 or numbers[-1] == "1":
            return pid
        pid = int(facts["PPid"])


def _status(pid: int) -> dict[str, str]:
    text = read_quietly(f"/proc/{pid}/status").decode("utf-8", "replace")
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in lines}


def _readable(line: bytes) -> str:
    """A command line of ``/proc`` on one line, as far as it is shown."""
    text = line.replace(b"\0", b" ").decode("utf-8", "replace")
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # one of the real-time signals
        return f"killed by signal {-code}"
