"""What can go wrong with buildah, as exceptions."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.errors import ZlayerError


class EngineError(ZlayerError):
    """A command of buildah (or another program run through it) failed.

    Attributes:
        command: the command line, passwords masked; empty when no command was involved.
        exit_code: its exit status, ``None`` when it never ended by itself.
        stderr: the last lines it wrote to standard error.
        failure: what kind of failure this is.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        command: Sequence[str] = (),
        exit_code: int | None = None,
        stderr: Sequence[str] = (),
    ) -> None:
        super().__init__(failure.message, hint=failure.hint)
        self.failure = failure
        self.command = tuple(command)
        self.exit_code = exit_code
        self.stderr = tuple(stderr)

    @property
    def interrupted(self) -> bool:
        """Whether the command was ended because the run, or the build it was for, was to stop."""
        return self.failure.kind == "interrupted"


class EngineTimeout(EngineError):
    """A command took longer than it was allowed; everything it had started has ended."""


class ImageNotKnown(EngineError):
    """The store has no such image."""


class EngineMissing(ZlayerError):
    """buildah is not installed, or not where it was said to be."""


class EngineUnusable(ZlayerError):
    """buildah is there and cannot do its work on this machine."""
