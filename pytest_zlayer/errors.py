"""The one error tree that every room shares."""

from __future__ import annotations

import copyreg
from typing import Any

_PACKAGE = "pytest_zlayer"


class ZlayerError(Exception):
    """Anything pytest-zlayer refuses or fails to do, in words meant for a person.

    Attributes:
        message: what happened, one or a few lines, without the hint.
        hint: what to do about it, or ``None``.
    """

    __module__ = _PACKAGE

    def __init_subclass__(cls) -> None:
        """Errors of this package show under a name by which people can import them."""
        super().__init_subclass__()
        if cls.__module__.startswith(f"{_PACKAGE}."):
            cls.__module__ = _PACKAGE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class with the message: many take more than that.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(ZlayerError):
    """A declaration, option or argument that cannot mean anything (a user's mistake)."""
