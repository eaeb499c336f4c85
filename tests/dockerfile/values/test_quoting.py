"""Go's quoting of user text in error messages."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.quoting import go_quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('a "b" \\', '"a \\"b\\" \\\\"'),
        ("\t\n\x00\x7f", '"\\t\\n\\x00\\x7f"'),
        ("é€😀", '"é€😀"'),
        ("\u00a0\u200b\ufeff", '"\\u00a0\\u200b\\ufeff"'),
        ("\U000e0001", '"\\U000e0001"'),
        (b"\xff".decode("utf-8", "surrogateescape"), '"\\xff"'),
        (b"\x80".decode("utf-8", "surrogateescape"), '"\\x80"'),
        ("\udc7f\udd00", '"\\udc7f\\udd00"'),
    ],
)
def test_unprintable_characters_are_escaped(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted
