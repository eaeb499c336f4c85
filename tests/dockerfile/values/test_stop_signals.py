"""Signals of STOPSIGNAL."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.stop_signals import check_signal


@pytest.mark.parametrize(
    "text",
    ["SIGTERM", "term", "sigUsr1", "9", "-9", "+3", "RTMIN+3", "SIGRTMAX-14", "RTMIN", "64", "99"],
)
def test_names_and_numbers_pass_unchanged(text: str) -> None:
    assert check_signal(text) == text


@pytest.mark.parametrize("text", ["0", "", "FOO", "SIGSIGTERM", "RTMIN+16", "RTMAX-15", "9 ", "9x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid signal: ") as raised:
        check_signal(text)
    assert str(raised.value) == f"invalid signal: {text}"
