"""Whom a command runs as: the rules of buildah (pkg/chrootuser) for users and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytest_zlayer.buildah.runtime.specification import NotUnderstood
from pytest_zlayer.dataclass import dataclass

_LARGEST = 2**32
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class User:
    """Numbers, as the specification has them."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def find_user(spec: str, read: Callable[[str], str]) -> User:
    """The user that ``USER`` or ``--user`` names.

    Args:
        spec: ``user``, ``uid``, ``user:group``…
        read: gives the text of a file of the container, empty when there is none.

    Raises:
        NotUnderstood: there is no such user or group; buildah says it in its own words.
    """
    name, colon, group = (spec or "0").partition(":")
    uid, gid, known_as = _find(name, list(_lines(read("/etc/passwd"), 7)))
    if group:
        gid = _find_group(group, list(_lines(read("/etc/group"), 4)))
    groups = [gid]
    if not colon and known_as is not None:
        members = _lines(read("/etc/group"), 4)
        groups += [int(line[2]) for line in members if known_as in line[3].split(",")]
    return User(uid, gid, tuple(dict.fromkeys(groups)))


def find_home(uid: int, read: Callable[[str], str]) -> str:
    """The home directory of a user, ``/`` for one that is not listed."""
    users = _lines(read("/etc/passwd"), 7)
    return next((line[5] for line in users if int(line[2]) == uid), "") or "/"


def _find(name: str, users: list[list[str]]) -> tuple[int, int, str | None]:
    """Number, group and, if it is known, name of a user."""
    number = _number(name)
    for line in users:
        if (line[0] == name and number is None) or int(line[2]) == number:
            uid = int(line[2])
            return uid, int(line[3]), _first_name(uid, users)
    if number is None:
        raise NotUnderstood(f"no user {name!r}")
    return number, 0, None


def _first_name(uid: int, users: list[list[str]]) -> str | None:
    return next((line[0] for line in users if int(line[2]) == uid), None)


def _find_group(name: str, groups: list[list[str]]) -> int:
    number = _number(name)
    if number is not None:
        return number
    for line in groups:
        if line[0] == name:
            return int(line[2])
    raise NotUnderstood(f"no group {name!r}")


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return int(text) if int(text) < _LARGEST else None


def _lines(text: str, fields: int) -> Iterator[list[str]]:
    """The lines that have so many fields and a number in the third (and fourth of a user)."""
    for line in text.split("\n"):
        parts = line.removesuffix("\r").split(":", fields - 1)
        numbers = parts[2:4] if fields == 7 else parts[2:3]
        if len(parts) == fields and all(_number(one) is not None for one in numbers):
            yield parts
