"""Users and groups looked up in an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.copy import CopyError, UserEntry, lookup_user, resolve_owner
from pytest_zlayer.builder.files.paths import EmptyRootfs
from tests.builder.support import make_tree

USERS = """\
root:x:0:0:root:/root:/bin/sh
# a comment
app:x:1000:1001:App:/home/app:/bin/sh

12:x:77:78::/odd:/bin/sh
broken:x:y:z
nohome:x:5:6
"""
GROUPS = """\
root:x:0:
app:x:1001:
wheel:x:10:root,app
docker:x:999:app
"""


@pytest.fixture
def image(tmp_path: Path) -> LocalRootfs:
    return LocalRootfs(make_tree(tmp_path, {"etc/passwd": USERS, "etc/group": GROUPS}))


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("", UserEntry(0, 0, (10,), "/root")),
        ("root", UserEntry(0, 0, (10,), "/root")),
        ("app", UserEntry(1000, 1001, (10, 999), "/home/app")),
        ("1000", UserEntry(1000, 1001, (10, 999), "/home/app")),
        ("app:wheel", UserEntry(1000, 10, (), "/home/app")),
        ("app:55", UserEntry(1000, 55, (), "/home/app")),
        ("4242", UserEntry(4242, 0, (), "/")),
        ("4242:4343", UserEntry(4242, 4343, (), "/")),
        ("nohome", UserEntry(5, 6, (), "/")),
    ],
)
def test_user(image: LocalRootfs, user: str, found: UserEntry) -> None:
    assert lookup_user(user, image) == found


def test_a_name_of_digits_wins_over_the_number(image: LocalRootfs) -> None:
    assert lookup_user("12", image).uid == 77


def test_unknown_user(image: LocalRootfs) -> None:
    with pytest.raises(CopyError) as caught:
        lookup_user("nobody", image)
    assert str(caught.value) == (
        "unable to find user nobody: no matching entries in passwd file\n"
        "hint: users of the image: root, app, 12, nohome"
    )


def test_unknown_group(image: LocalRootfs) -> None:
    with pytest.raises(CopyError) as caught:
        lookup_user("app:staff", image)
    assert str(caught.value) == (
        "unable to find group staff: no matching entries in group file\n"
        "hint: groups of the image: root, app, wheel, docker"
    )


@pytest.mark.parametrize(
    ("number", "shown"),
    [("4294967296", "4294967296"), ("9" * 20, "9" * 20), ("9" * 21, "9" * 20 + "…")],
)
def test_number_out_of_range(image: LocalRootfs, number: str, shown: str) -> None:
    with pytest.raises(CopyError) as caught:
        lookup_user(number, image)
    assert str(caught.value) == f"uids and gids must be in range 0-2147483647: {shown}"


def test_name_in_an_image_without_users() -> None:
    with pytest.raises(CopyError) as caught:
        resolve_owner("app", EmptyRootfs())
    assert str(caught.value) == (
        "can't find uid for user app: no such user: app\n"
        "hint: the image has no users: it lacks the file in /etc; use a number"
    )


def test_unknown_group_of_an_owner(image: LocalRootfs) -> None:
    with pytest.raises(CopyError) as caught:
        resolve_owner("app:staff", image)
    assert str(caught.value) == (
        "can't find gid for group staff: no such group: staff\n"
        "hint: groups of the image: root, app, wheel, docker"
    )


def test_no_owner_is_root(image: LocalRootfs) -> None:
    assert resolve_owner(None, image) == (0, 0)


def test_passwd_behind_a_link_is_read_inside_the_image(tmp_path: Path) -> None:
    make_tree(tmp_path, {"etc/passwd": "-> /../../usr/passwd", "usr/passwd": "app:x:3:4::/:/sh\n"})
    assert resolve_owner("app", LocalRootfs(tmp_path)) == (3, 4)


def test_passwd_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(CopyError) as caught:
        resolve_owner("app", LocalRootfs(make_tree(tmp_path, ["etc/passwd/"])))
    assert str(caught.value) == "cannot read /etc/passwd of the image: Is a directory"


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    (make_tree(tmp_path, {"etc/": None}) / "etc" / "passwd").write_bytes(b"caf\xe9:x:8:9::/:/sh\n")
    assert resolve_owner("caf\udce9", LocalRootfs(tmp_path)) == (8, 9)


@pytest.mark.parametrize(("count", "more"), [(30, ""), (31, ", …")])
def test_of_many_users_the_first_thirty_are_named(tmp_path: Path, count: int, more: str) -> None:
    lines = [f"user{number}:x:{number}:0::/:/sh\n" for number in range(count)]
    image = LocalRootfs(make_tree(tmp_path, {"etc/passwd": "".join(lines)}))
    with pytest.raises(CopyError) as caught:
        lookup_user("nobody", image)
    names = ", ".join(f"user{number}" for number in range(30))
    assert caught.value.hint == f"users of the image: {names}{more}"


def test_a_file_of_users_is_read_up_to_ten_megabytes(tmp_path: Path) -> None:
    most = 10 << 20
    line = "app:x:3:4::/:/sh\n"
    passwd = make_tree(tmp_path, {"etc/": None}) / "etc" / "passwd"
    passwd.write_text(line + "#" * (most - len(line)))
    assert lookup_user("app", LocalRootfs(tmp_path)).uid == 3
    passwd.write_text(line + "#" * (most - len(line) + 1))
    with pytest.raises(CopyError) as caught:
        lookup_user("app", LocalRootfs(tmp_path))
    assert caught.value.message == f'"/etc/passwd" exceeds {most} bytes'
