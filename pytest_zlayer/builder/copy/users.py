"""Users and groups by name or number, as the files of an image know them."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

# What BuildKit reads of a passwd or group file at most.
_MOST_BYTES = 10 << 20
_HIGHEST_ID = 2**31 - 1
# Ten digits hold every id there is; ``str.isdigit`` takes "²" and numbers of any length.
_ID = late_pattern("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class UserEntry:
    """Who a process runs as: numbers, supplementary groups, home directory."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


@dataclass(frozen=True, slots=True)
class _Passwd:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def lookup_user(user: str, target: Rootfs) -> UserEntry:
    """What ``USER`` (``user[:group]``, names or numbers; empty: root) means in an image.

    A number that no line of ``/etc/passwd`` has is taken as it is, with group 0.

    Raises:
        CopyError: no such user or group, or a number out of range.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    entry = _as_user(name, target)
    groups = tuple(one.gid for one in _groups(target) if entry.name and entry.name in one.members)
    if not group:
        return UserEntry(entry.uid, entry.gid, groups, entry.home)
    return UserEntry(entry.uid, _group_id(group, target), (), entry.home)


def _as_user(name: str, target: Rootfs) -> _Passwd:
    number = _number(name)
    for line in _users(target):
        if line.name == name or (number is not None and line.uid == number):
            return line
    if number is None:
        raise CopyError(
            f"unable to find user {name}: no matching entries in passwd file",
            hint=_known("users", [line.name for line in _users(target)]),
        )
    return _Passwd("", number, 0, "/")


def _group_id(name: str, target: Rootfs) -> int:
    number = _number(name)
    known = list(_groups(target))
    for line in known:
        if line.name == name:
            return line.gid
    if number is None:
        raise CopyError(
            f"unable to find group {name}: no matching entries in group file",
            hint=_known("groups", [line.name for line in known]),
        )
    return number


def resolve_owner(chown: str | None, target: Rootfs) -> tuple[int, int]:
    """Numbers for ``--chown=user[:group]``; a user's number alone is its group's number too.

    Raises:
        CopyError: the image has no such user or group. (BuildKit quietly takes root then; the
            reference says that the build fails.)
    """
    if not chown:
        return 0, 0
    user, _, group = chown.partition(":")
    uid, gid = _owner_user(user, target) if user else (0, 0)
    return (uid, _owner_group(group, target)) if group else (uid, gid)


def _owner_user(name: str, target: Rootfs) -> tuple[int, int]:
    number = _number(name)
    if number is not None:
        return number, number
    known = list(_users(target))
    for line in known:
        if line.name == name:
            return line.uid, line.gid
    raise CopyError(
        f"can't find uid for user {name}: no such user: {name}",
        hint=_known("users", [line.name for line in known]),
    )


def _owner_group(name: str, target: Rootfs) -> int:
    number = _number(name)
    if number is not None:
        return number
    known = list(_groups(target))
    for line in known:
        if line.name == name:
            return line.gid
    raise CopyError(
        f"can't find gid for group {name}: no such group: {name}",
        hint=_known("groups", [line.name for line in known]),
    )


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if not _ID.fullmatch(digits) or int(digits) > _HIGHEST_ID:
        shown = text if len(text) <= 20 else f"{text[:20]}…"
        raise CopyError(f"uids and gids must be in range 0-{_HIGHEST_ID}: {shown}")
    return int(digits)


def _known(what: str, names: list[str]) -> str:
    if not names:
        return f"the image has no {what}: it lacks the file in /etc; use a number"
    shown = ", ".join(names[:30])
    return f"{what} of the image: {shown}{', …' if len(names) > 30 else ''}"


def _users(target: Rootfs) -> Iterator[_Passwd]:
    for fields in _lines(target, "/etc/passwd"):
        if len(fields) >= 4 and _ID.fullmatch(fields[2]) and _ID.fullmatch(fields[3]):
            home = fields[5] if len(fields) > 5 else ""
            yield _Passwd(fields[0], int(fields[2]), int(fields[3]), home or "/")


def _groups(target: Rootfs) -> Iterator[_Group]:
    for fields in _lines(target, "/etc/group"):
        if len(fields) >= 3 and _ID.fullmatch(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(fields[0], int(fields[2]), tuple(filter(None, members)))


def _lines(target: Rootfs, path: str) -> Iterator[list[str]]:
    """The fields of each line; no line where the image has no such file."""
    try:
        with target.open(target.resolve(path)) as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise CopyError(f"cannot read {path} of the image: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise CopyError(f'"{path}" exceeds {_MOST_BYTES} bytes')
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")
