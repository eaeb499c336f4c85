"""The one error tree that every room shares."""

from __future__ import annotations


class ZlayerError(Exception):
    """Anything pytest-zlayer refuses or fails to do, in words meant for a person.

    Attributes:
        message: what happened, one or a few lines, without the hint.
        hint: what to do about it, or ``None``.
    """

    # Public errors are shown under the name by which people import them.
    __module__ = "pytest_zlayer"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(ZlayerError):
    """A declaration, option or argument that cannot mean anything (a user's mistake)."""

    __module__ = "pytest_zlayer"
