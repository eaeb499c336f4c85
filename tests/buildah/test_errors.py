"""Errors of the engine."""

from __future__ import annotations

from pytest_zlayer.buildah.errors import EngineError, EngineTimeout, ImageNotKnown
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.errors import ZlayerError


def test_error_says_what_and_what_to_do() -> None:
    failure = Failure("environment", "the disk is full", "free some space")
    error = EngineError(failure, command=["buildah", "x"], exit_code=125, stderr=["a", "b"])
    assert str(error) == "the disk is full\nhint: free some space"
    assert (error.command, error.exit_code) == (("buildah", "x"), 125)
    assert (error.stderr, error.failure) == (("a", "b"), failure)


def test_special_errors_are_errors_of_the_engine() -> None:
    assert issubclass(EngineTimeout, EngineError)
    assert issubclass(ImageNotKnown, EngineError)
    assert issubclass(EngineError, ZlayerError)


def test_what_was_interrupted_is_told_from_what_failed() -> None:
    assert EngineError(Failure("interrupted", "the build was interrupted")).interrupted
    assert not EngineError(Failure("timeout", "it took too long")).interrupted
