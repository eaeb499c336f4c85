"""Waiting for what will be so, as long as it may take on a slow and busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

# Seconds that may pass before a test gives up; what goes well never takes that long.
PATIENCE = 90.0

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found], what: str) -> Found:
    """What ``look`` finds, as soon as that is true.

    Args:
        look: called again and again.
        what: it is waited for.
    """
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {PATIENCE:g} s in vain for: {what}")
        time.sleep(0.05)
    return found
