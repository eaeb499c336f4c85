"""Checks of files: whether they are there, what they are, what stands in them."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from pytest_zlayer.checks import words
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.scalars import number_of

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import FilePath, HasFiles, Stat

# What is checked, the number that is there, and the file that knows the names.
_Owner: TypeAlias = "tuple[str, int, str]"
Content: TypeAlias = "str | bytes | re.Pattern[str] | re.Pattern[bytes]"

# Entries looked at for a file of the same name elsewhere.
_MOST_LOOKED_AT = 20_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFacts:
    """What a file or directory is to be; ``None``: whatever it is."""

    mode: int | str | None = None
    owner: int | str | None = None
    group: int | str | None = None
    size: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedContent:
    """What is to stand in a file; ``None``: whatever stands there."""

    contains: Content | None = None
    matches: Content | None = None
    equals: str | bytes | None = None
    sha256: str | None = None


def file_problems(
    subject: HasFiles, path: str, facts: WantedFacts, content: WantedContent
) -> list[str]:
    """What is wrong with a file that is expected at ``path``, links followed."""
    found = subject.path(path)
    if not found.is_file():
        return _is_not(subject, found, "file")
    return [
        *_facts_problems(subject, found, facts),
        *_content_problems(found, content),
    ]


def directory_problems(subject: HasFiles, path: str, facts: WantedFacts) -> list[str]:
    """What is wrong with a directory that is expected at ``path``, links followed."""
    found = subject.path(path)
    if not found.is_dir():
        return _is_not(subject, found, "directory")
    return _facts_problems(subject, found, facts)


def link_problems(subject: HasFiles, path: str, target: str | None) -> list[str]:
    """What is wrong with a symbolic link that is expected at ``path``."""
    found = subject.path(path)
    if not found.is_symlink():
        return _is_not(subject, found, "symbolic link", follow=False)
    leads = found.readlink()
    if target is None or leads == target:
        return []
    return [f"{found} is a link to {leads!r}, expected {target!r}"]


def absence_problems(subject: HasFiles, path: str) -> list[str]:
    """What is at ``path``, where nothing is expected."""
    found = subject.path(path)
    kind = kind_of(found)
    if kind is None:
        return []
    facts = found.lstat()
    more = f" to {found.readlink()!r}" if kind == "symlink" else ""
    return [
        f"{found} is there, expected nothing",
        f"it is a {_word(kind)}{more}, {_described(subject, facts)}",
    ]


def kind_of(path: FilePath) -> str | None:
    """What is at a path, a link at its end not followed; ``None``: nothing."""
    try:
        return path.lstat().kind
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_not(subject: HasFiles, found: FilePath, wanted: str, *, follow: bool = True) -> list[str]:
    kind = kind_of(found)
    if kind is None:
        return [f"there is no {wanted} {found}", *_near_paths(subject, found)]
    if kind == "symlink" and follow:
        if not found.exists():
            return [f"{found} is a link to {found.readlink()!r}, which does not exist"]
        return [f"{found} leads to a {_word(found.stat().kind)}, expected a {wanted}"]
    return [f"{found} is a {_word(kind)}, expected a {wanted}"]


def _word(kind: str) -> str:
    known = {"symlink": "symbolic link", "character": "character device", "block": "block device"}
    return known.get(kind, kind)


def _near_paths(subject: HasFiles, missing: FilePath) -> list[str]:
    """Names alike where it was looked for, and the same name elsewhere."""
    parent = missing.parent
    lines = []
    while not parent.exists():
        parent = parent.parent
    if str(parent) != str(missing.parent):
        lines.append(f"there is no directory {missing.parent}")
    if parent.is_dir():
        first = str(missing)[len(str(parent)) :].strip("/").split("/")[0]
        names = [child.name for child in parent.iterdir()]
        near = [posixpath.join(str(parent), one) for one in words.near(first, names)]
    else:
        near = []
    near += [one for one in _same_name(subject, missing) if one not in near]
    if near:
        return [*lines, f"near: {', '.join(near[:6])}"]
    return lines


def _same_name(subject: HasFiles, missing: FilePath) -> list[str]:
    entries = islice(subject.path("/").walk(), _MOST_LOOKED_AT)
    return [str(path) for path in islice((p for p, _ in entries if p.name == missing.name), 3)]


# --- modes, owners, sizes -------------------------------------------------------------------------


def _facts_problems(subject: HasFiles, found: FilePath, facts: WantedFacts) -> list[str]:
    stat = found.stat()
    problems = []
    if facts.mode is not None and (wanted := words.parse_mode(facts.mode)) != stat.mode:
        have = words.mode_text(stat.mode)
        problems.append(f"{found} has mode {have}, expected {words.mode_text(wanted)}")
    owner, group = facts.owner, facts.group
    if isinstance(owner, str) and ":" in owner and group is None:
        owner, _, group = owner.partition(":")
    users, groups = ("owner", stat.uid, "/etc/passwd"), ("group", stat.gid, "/etc/group")
    problems += _owner_problems(subject, found, users, owner)
    problems += _owner_problems(subject, found, groups, group)
    if facts.size is not None and (size := words.parse_size(facts.size)) != stat.size:
        problems.append(f"{found} has {stat.size} bytes, expected {size}")
    return problems


def _owner_problems(
    subject: HasFiles, found: FilePath, kind: _Owner, wanted: int | str | None
) -> list[str]:
    if wanted is None or wanted == "":
        return []
    what, number, database = kind
    names = dict(named_ids(subject, database))
    if str(wanted) == str(number) or names.get(str(wanted)) == number:
        return []
    have = f"{found} has {what} {_with_name(number, names)}"
    if str(wanted) in names:
        return [f"{have}, expected {wanted} ({names[str(wanted)]})"]
    expected = number_of(str(wanted))
    if expected is not None:
        return [f"{have}, expected {_with_name(expected, names)}"]
    near = words.near_line(str(wanted), names, f"names in {database}")
    return [f"{have}, expected {wanted}", f"{database} has no {wanted}", *near]


def named_ids(subject: HasFiles, database: str) -> Iterator[tuple[str, int]]:
    """Names and numbers from ``/etc/passwd`` or ``/etc/group``; none without such a file."""
    path = subject.path(database)
    if not path.is_file():
        return
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        found = number_of(fields[2]) if len(fields) > 2 else None
        if found is not None:
            yield fields[0], found


def _with_name(number: int, names: dict[str, int]) -> str:
    name = next((one for one, known in names.items() if known == number), None)
    return str(number) if name is None else f"{name} ({number})"


def _described(subject: HasFiles, facts: Stat) -> str:
    users, groups = (dict(named_ids(subject, one)) for one in ("/etc/passwd", "/etc/group"))
    owner = f"{_with_name(facts.uid, users)}:{_with_name(facts.gid, groups)}"
    return f"mode {words.mode_text(facts.mode)}, owner {owner}, {words.size_text(facts.size)}"


# --- contents -------------------------------------------------------------------------------------


def _content_problems(found: FilePath, content: WantedContent) -> list[str]:
    problems = []
    if content.equals is not None:
        problems += _equality(found, content.equals)
    if content.contains is not None:
        problems += _containment(found, content.contains, "does not contain")
    if content.matches is not None:
        problems += _containment(found, _pattern(content.matches), "does not match")
    if content.sha256 is not None:
        wanted = content.sha256.removeprefix("sha256:").lower()
        have = digest(found)
        if have != wanted:
            problems.append(f"{found} has sha256 {have}, expected {wanted}")
    return problems


def _pattern(wanted: Content) -> Content:
    if isinstance(wanted, str):
        return re.compile(wanted, re.MULTILINE)
    return re.compile(wanted, re.MULTILINE) if isinstance(wanted, bytes) else wanted


def _equality(found: FilePath, wanted: str | bytes) -> list[str]:
    data = found.read_bytes()
    if isinstance(wanted, bytes):
        if data == wanted:
            return []
        start = next(
            (n for n, (a, b) in enumerate(zip(data, wanted, strict=False)) if a != b), None
        )
        at = min(len(data), len(wanted)) if start is None else start
        sizes = f"{len(data)} bytes, expected {len(wanted)}"
        return [
            f"{found} is not as expected: {sizes}; they differ from byte {at} on",
            f"- {wanted[at : at + 16]!r}",
            f"+ {data[at : at + 16]!r}",
        ]
    text = data.decode("utf-8", "backslashreplace")
    if text == wanted:
        return []
    return [f"{found} is not as expected:", *words.text_difference(wanted, text)]


def _containment(found: FilePath, wanted: Content, says: str) -> list[str]:
    data = found.read_bytes()
    if isinstance(wanted, bytes) or (
        isinstance(wanted, re.Pattern) and isinstance(wanted.pattern, bytes)
    ):
        is_there = wanted in data if isinstance(wanted, bytes) else wanted.search(data)
        shown = wanted if isinstance(wanted, bytes) else wanted.pattern
        return [] if is_there else [f"{found} {says} {shown!r}"]
    text = data.decode("utf-8", "replace")
    if isinstance(wanted, str):
        if wanted in text:
            return []
        line = wanted.splitlines()[0] if wanted.strip() else wanted
        near = words.near(line.strip(), {one.strip() for one in text.splitlines()}, most=3)
        lines = [f"line near it: {one}" for one in near]
        return [f"{found} {says} {wanted!r}", *(lines or _beginning(text))]
    if wanted.search(text):
        return []
    return [f"{found} {says} {wanted.pattern!r}", *_beginning(text)]


def _beginning(text: str) -> list[str]:
    if not text:
        return ["it is empty"]
    return ["it begins:", *words.shortened(words.indented(text.splitlines()), 10)]


def digest(path: FilePath) -> str:
    """sha256 of a file's content, in hexadecimal digits."""
    summary = hashlib.sha256()
    with path.open() as file:
        while chunk := file.read(_CHUNK):
            summary.update(chunk)
    return summary.hexdigest()
