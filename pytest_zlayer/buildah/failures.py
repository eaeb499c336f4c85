"""Why a command of the engine has failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pytest_zlayer.dataclass import dataclass

FailureKind = Literal[
    "command", "transient", "absent", "permanent", "environment", "crash", "timeout", "interrupted"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed.

    Attributes:
        kind: ``command``: what a RUN ran ended with this status, buildah did its work.
            ``transient``: trying again may help. ``absent``: the registry has no such image.
            ``permanent``: trying again will not help. ``environment``:
            this machine has to be put right first. ``crash``: buildah itself broke down.
            ``timeout`` and ``interrupted``: ended by this package.
        message: one sentence.
        hint: what to do about it, or ``None``.
        signal: the signal that ended the command of a RUN, or ``None``.
        exit_code: the status of the command of a RUN where it is not buildah's own.
    """

    kind: FailureKind
    message: str
    hint: str | None = None
    signal: int | None = None
    exit_code: int | None = None

    @property
    def may_pass(self) -> bool:
        """Whether the same command may succeed if it is given once more at once."""
        return self.kind in ("crash", "transient")


# Begins the message of a failure for want of a login.
NO_LOGIN = "the registry asks for a login"

# What becomes of the commands that were running when their agent was killed.
KILLED = Failure(
    "crash",
    "the process that runs buildah for this session was killed, and its commands with it",
    "it may have run out of memory",
)


def disk_full(places: Sequence[str]) -> Failure:
    """The failure of a command when there is no space left at these places."""
    where = " and ".join(dict.fromkeys(places))
    return Failure(
        "environment", f"the disk is full: no space left in {where}", "free some space there"
    )


def disk_maybe_full(free: Mapping[str, int]) -> Failure:
    """The failure of a command that hides why it could not write; ``free`` are bytes by place."""
    left = ", ".join(f"{size // 1_000_000} MB in {place}" for place, size in free.items())
    return Failure(
        "environment",
        f"buildah could not write a layer, most likely because a disk was full; free now: {left}",
        "free some space: a commit needs twice the size of its layer in TMPDIR and once in the "
        "storage",
    )
