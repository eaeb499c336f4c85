"""Names of capabilities, as ``docker run --cap-add`` takes them."""

from __future__ import annotations

from pytest_zlayer.choices import CAPABILITIES
from pytest_zlayer.dockerfile.values.suggest import suggest

_ALL = "ALL"
_PREFIX = "CAP_"


def parse_capability(text: str) -> str:
    """A capability's name in full, ``CAP_NET_ADMIN``, or ``ALL``.

    Args:
        text: its name with or without ``CAP_``, in any case, or ``all``.

    Raises:
        ValueError: there is none of this name; the text says which one is near.
    """
    name = text.upper().removeprefix(_PREFIX)
    if text.upper() == _ALL:
        return _ALL
    if name in CAPABILITIES:
        return f"{_PREFIX}{name}"
    near = suggest(name, CAPABILITIES)
    meant = f" (did you mean {near}?)" if near else ""
    raise ValueError(f"Linux has no such capability{meant}")
