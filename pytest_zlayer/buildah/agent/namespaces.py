"""The namespaces of an ordinary user's agent, which another agent can enter when it is killed.

What is mounted in them stays as long as somebody has them open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from .launch.system_calls import system_call

# The user namespace first: it is what gives the right to enter the other one.
_KINDS = ("user", "mnt")


def variables() -> dict[str, str]:
    """What ``buildah unshare`` has passed on and every buildah below it has to know."""
    return {name: value for name, value in os.environ.items() if name.startswith("_CONTAINERS_")}


def opened() -> list[int]:
    """Descriptors of our namespaces, if ``buildah unshare`` made some for us."""
    kinds = _KINDS if variables() else ()
    return [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]


def enter(descriptors: Sequence[int]) -> None:
    """Goes where another agent was."""
    for descriptor in descriptors:
        system_call("setns", descriptor, 0)
