"""Telling remote sources of ADD from paths."""

from __future__ import annotations

import pytest

from pytest_zlayer.builder.copy.remote import remote_kind


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("file.txt", "path"),
        ("https.txt", "path"),
        ("ftp://example.com/x", "path"),
        ("github.com/moby/buildkit", "path"),
        ("a:b", "path"),
        ("http://example.com/x", "http"),
        ("HTTPS://example.com/x.tar.gz", "path"),
        ("https://example.com/x.git/file", "http"),
        ("https://example.com/x.git", "git"),
        ("https://example.com/x.git#main:sub", "git"),
        ("https://example.com/x.git?ref=main", "git"),
        ("git://example.com/x", "git"),
        ("ssh://git@example.com/x", "git"),
        ("git@github.com:moby/buildkit.git", "git"),
    ],
)
def test_kind_of_source(source: str, kind: str) -> None:
    assert remote_kind(source) == kind
