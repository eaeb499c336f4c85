"""Where the verbs write: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def show(lines: Iterable[str]) -> None:
    """Write lines of the result."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def tell(text: str) -> None:
    """Write a message that is not the result, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
