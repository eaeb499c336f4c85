"""Capabilities that a container can get: no more than this process may have."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_zlayer.choices import CAPABILITIES
from pytest_zlayer.errors import UsageError

_ALL = "ALL"


def to_add(names: Sequence[str]) -> tuple[str, ...]:
    """Full names (``CAP_…``) by their numbers, each once; ``ALL`` is what can be given here.

    Raises:
        UsageError: one of them cannot be given.
    """
    available = _available()
    missing = [name for name in names if name not in (*available, _ALL)]
    if missing:
        raise UsageError(
            f"{missing[0]} cannot be given to a container: this process may not have it either",
            hint=f"in a container run it with --cap-add {missing[0].removeprefix('CAP_')}",
        )
    return tuple(name for name in available if _ALL in names or name in names)


def _available() -> list[str]:
    """Those in the bounding set of this process."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return [f"CAP_{name}" for number, name in enumerate(CAPABILITIES) if found >> number & 1]
