"""What cannot be run is refused before anything is begun."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.errors import UsageError


@pytest.mark.parametrize("argv", [[], (), ""])
def test_no_command(argv: Any) -> None:
    with pytest.raises(UsageError) as caught:
        RunRequest("c", argv)
    assert str(caught.value) == 'there is no command to run\nhint: such as ["ls", "/"]'


@pytest.mark.parametrize(
    "given",
    [
        {"argv": ["a", "b\0c"]}, {"argv": ["a"], "env": {"A": "\0"}},
        {"argv": ["a"], "env": {"A\0": ""}}, {"argv": ["a"], "hidden_env": {"A": "\0"}},
    ],
)  # fmt: skip
def test_nul_character(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        RunRequest("c", **given)
    assert str(caught.value) == "a command and its variables cannot contain a NUL character"
