"""Names and passwords in addresses."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.credentials import Address, redacted, split_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@example.com/x", "https://me:xxxxx@example.com/x"),
        ("https://TOKEN@example.com/x.git", "https://xxxxx@example.com/x.git"),
        ("https://u:p@ss@host/x", "https://u:xxxxx@host/x"),
        (
            "fatal: cannot read http://T@h/a and http://u:p@h/b",
            ("fatal: cannot read http://xxxxx@h/a and http://u:xxxxx@h/b"),
        ),
        ("ssh://git@example.com/x.git", "ssh://git@example.com/x.git"),
        ("git@example.com:x/y.git", "git@example.com:x/y.git"),
        ("https://example.com/a@b", "https://example.com/a@b"),
    ],
)
def test_passwords_and_tokens_are_hidden(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://u:p%40@h:8/x?y", Address("https://h:8/x?y", "u:p@")),
        ("https://u:p@ss@h/x", Address("https://h/x", "u:p@ss")),
        ("https://TOKEN@h/x", Address("https://h/x", "TOKEN:")),
        ("https://h/x", Address("https://h/x")),
        ("ssh://git@h/x", Address("ssh://git@h/x")),
        ("git@h:x", Address("git@h:x")),
    ],
)
def test_credentials_are_taken_out(url: str, address: Address) -> None:
    assert split_credentials(url) == address


def test_the_host_has_its_port() -> None:
    assert Address("http://h:8/x").host == "h:8"
