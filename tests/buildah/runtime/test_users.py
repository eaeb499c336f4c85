"""Whom a command runs as."""

from __future__ import annotations

import pytest

from pytest_zlayer.buildah.runtime.specification import NotUnderstood
from pytest_zlayer.buildah.runtime.users import User, find_user

FILES = {
    "/etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "# a comment\n"
        "broken:x:one:1:::\n"
        f"digits:x:{'9' * 5000}:1:::\n"
        "app:x:1000:1000:app:/home/app:/bin/sh\n"
        "also:x:1000:1001:::\n"
    ),
    "/etc/group": "root:x:0:\napp:x:1000:\nextra:x:2000:other,app\nalso:x:2001:also\n",
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", User(0, 0, (0,))),
        ("root", User(0, 0, (0,))),
        ("app", User(1000, 1000, (1000, 2000))),
        ("1000", User(1000, 1000, (1000, 2000))),
        ("app:extra", User(1000, 2000, (2000,))),
        ("app:7", User(1000, 7, (7,))),
        ("5", User(5, 0, (0,))),
        ("5:6", User(5, 6, (6,))),
        ("also", User(1000, 1001, (1001, 2000))),
    ],
)
def test_user_in_numbers(spec: str, expected: User) -> None:
    assert find_user(spec, FILES.__getitem__) == expected


@pytest.mark.parametrize(
    "spec",
    ["nobody-here", "app:none", "broken", "+5", "4294967296", "²", "9" * 5000, "digits"],
)
def test_what_nobody_knows_is_left_to_buildah(spec: str) -> None:
    with pytest.raises(NotUnderstood):
        find_user(spec, FILES.__getitem__)
