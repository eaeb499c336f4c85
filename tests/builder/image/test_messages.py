"""How images and what went wrong in them show themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.builder.image.built_image import BuildResult, Image
from pytest_zlayer.builder.image.container import timeout_of
from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.builder.image.results import CommandFailed, RunResult

ARGV = ("sh", "-c", "echo 'two words' > /x")
QUOTED = "sh -c 'echo '\"'\"'two words'\"'\"' > /x'"


def test_a_command_that_failed_is_quoted_as_for_a_shell() -> None:
    error = CommandFailed("api", RunResult(3, "", "last words\n", 0.1, ARGV))
    assert str(error) == f"{QUOTED} in api exited with 3\nlast words"
    assert f"{type(error).__module__}.{type(error).__qualname__}" == "pytest_zlayer.CommandFailed"


def test_a_command_that_took_too_long_is_quoted_as_for_a_shell() -> None:
    done = Completed(ARGV, 124, (), (), 2.04, timed_out=True)
    assert timeout_of("api", ARGV, done).message == f"{QUOTED} in api was stopped after 2.0 s"


def test_an_image_fits_a_line() -> None:
    store: object = None
    image = Image("f" * 64, "localhost/zlayer/x:1", "services/api", (), BuildResult(), store)  # type: ignore[arg-type]  # nothing is asked of it
    assert repr(image) == "Image('services/api', ffffffffffff)"


@pytest.mark.parametrize(("mode", "shown"), [(0o644, "0o644"), (0o4755, "0o4755")])
def test_modes_are_octal(tmp_path: Path, mode: int, shown: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(mode)
    assert repr(ImagePath(LocalRootfs(tmp_path), "/file").stat().mode) == shown
