"""Names of capabilities as people write them."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.capabilities import parse_capability


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NET_ADMIN", "CAP_NET_ADMIN"),
        ("sys_admin", "CAP_SYS_ADMIN"),
        ("CAP_CHOWN", "CAP_CHOWN"),
        ("cap_Bpf", "CAP_BPF"),
        ("all", "ALL"),
    ],
)
def test_name(text: str, name: str) -> None:
    assert parse_capability(text) == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("CAP_NET_ADMN", "Linux has no such capability (did you mean NET_ADMIN?)"),
        ("root", "Linux has no such capability"),
        ("CAP_SOMETHING", "Linux has no such capability"),
        ("", "Linux has no such capability"),
    ],
)
def test_what_is_none(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="Linux") as caught:
        parse_capability(text)
    assert str(caught.value) == problem
