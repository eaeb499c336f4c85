"""The platform that a declaration or an option names."""

from __future__ import annotations

from pytest_zlayer.dockerfile.values.platforms import Platform, parse_platform
from pytest_zlayer.errors import UsageError


def wanted_platform(text: str | None, native: Platform) -> Platform:
    """The platform ``text`` says, on top of this machine's; without a text this machine's.

    Raises:
        UsageError: it names no platform.
    """
    if text is None:
        return native
    try:
        return parse_platform(text, native)
    except ValueError as problem:
        raise UsageError(f"platform {text!r}: {problem}") from problem
