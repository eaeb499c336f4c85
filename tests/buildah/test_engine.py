"""Opening an engine that cannot be; what it does with a real buildah is in tests/engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineMissing
from pytest_zlayer.errors import UsageError


def test_engine_needs_buildah(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing):
        Engine.open(environment={"PATH": str(tmp_path)}, session="abc")


def test_session_must_be_fit_for_names(tmp_path: Path) -> None:
    program = tmp_path / "buildah"
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    with pytest.raises(UsageError) as caught:
        Engine.open(environment={"PATH": str(tmp_path)}, session="../x")
    assert str(caught.value) == (
        "session '../x' and worker 'main' must be lower-case letters and digits"
    )
