"""Assertions on files, and every word of what they say when they fail."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_zlayer.errors import UsageError
from tests.checks.subject import GROUPS, USERS, Subject, failure, make

OPT = """\
api: there is no file /opt/main.py
  there is no directory /opt
  near: /srv/app/main.py"""


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    files = {
        "etc/passwd": USERS,
        "etc/group": GROUPS,
        "etc/app.conf": "port = 80\nhost = here\n",
        "srv/app/main.py": "",
        "data": bytes(range(20)),
    }
    made = make(tmp_path, files)
    (tmp_path / "etc/app.conf").chmod(0o640)
    (tmp_path / "srv").chmod(0o755)
    (tmp_path / "etc/link").symlink_to("app.conf")
    (tmp_path / "etc/nowhere").symlink_to("/none")
    (tmp_path / "etc/sub").symlink_to("/srv")
    return made


def test_what_is_as_expected_passes(subject: Subject) -> None:
    owner, group = os.getuid(), os.getgid()
    subject.assert_file("/etc/app.conf", mode=0o640, owner=owner, group=group, size=22)
    subject.assert_file("/etc/app.conf", mode="0640", size="22 B", contains="host")
    subject.assert_file("/etc/app.conf", matches=r"^host = \w+$", equals="port = 80\nhost = here\n")
    subject.assert_file("/etc/app.conf", contains=re.compile("p.rt"), matches=rb"80$")
    subject.assert_file("etc/link", contains=b"port")
    subject.assert_file("/data", equals=bytes(range(20)), contains=re.compile(rb"\x01\x02"))
    digest = "4b955d4ab480b81c18be7b15f0b1bd0d9e72a2d86a1a0e0d9d0b8a6b6b1a0e5d"
    assert failure(subject.assert_file, "/data", sha256=digest).startswith("api: /data has sha256 ")
    subject.assert_directory("/srv", mode=0o755)
    subject.assert_directory("/etc/sub")
    subject.assert_link("/etc/link")
    subject.assert_link("/etc/link", "app.conf")
    subject.assert_no_file("/etc/other")
    subject.assert_no_file("/none/at/all")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_owners_go_by_name_and_number(subject: Subject) -> None:
    os.chown(subject.root / "etc/app.conf", 1000, 33)
    subject.assert_file("/etc/app.conf", owner="app", group="web")
    subject.assert_file("/etc/app.conf", owner=1000, group="33")
    subject.assert_file("/etc/app.conf", owner="app:web")
    reported = failure(
        subject.assert_file, "/etc/app.conf", owner="root", group="webb", mode=0o4755
    )
    assert reported == (
        "api: /etc/app.conf has mode 0640, expected 04755\n"
        "  /etc/app.conf has owner app (1000), expected root (0)\n"
        "  /etc/app.conf has group web (33), expected webb\n"
        "  /etc/group has no webb\n"
        "  near: web"
    )
    odd = subject.root / "etc/passwd"
    odd.write_text(f"odd:x:²:0:::\nlong:x:{'9' * 5000}:0:::\n{odd.read_text()}")
    subject.assert_file("/etc/app.conf", owner="app")
    reported = failure(subject.assert_file, "/etc/app.conf", owner="²")
    assert reported.startswith("api: /etc/app.conf has owner app (1000), expected ²\n")
    reported = failure(subject.assert_directory, "/srv", owner=1000)
    assert reported == "api: /srv has owner root (0), expected app (1000)"


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("/etc/ap.conf", "api: there is no file /etc/ap.conf\n  near: /etc/app.conf"),
        ("/opt/main.py", OPT),
        ("/srv", "api: /srv is a directory, expected a file"),
        ("/etc/sub", "api: /etc/sub leads to a directory, expected a file"),
        ("/etc/nowhere", "api: /etc/nowhere is a link to '/none', which does not exist"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_there_is_reported_with_what_is_near(
    subject: Subject, path: str, reported: str
) -> None:
    assert failure(subject.assert_file, path) == reported


def test_directories_and_links_that_are_something_else(subject: Subject) -> None:
    reported = failure(subject.assert_directory, "/etc/app.conf")
    assert reported == "api: /etc/app.conf is a file, expected a directory"
    reported = failure(subject.assert_link, "/etc/app.conf")
    assert reported == "api: /etc/app.conf is a file, expected a symbolic link"
    reported = failure(subject.assert_link, "/etc/link", "/etc/app.conf")
    assert reported == "api: /etc/link is a link to 'app.conf', expected '/etc/app.conf'"
    reported = failure(subject.assert_link, "/etc/lnk")
    assert reported == "api: there is no symbolic link /etc/lnk\n  near: /etc/link"


def test_something_where_nothing_is_expected(subject: Subject) -> None:
    os.chown(subject.root / "etc/link", os.getuid(), os.getgid(), follow_symlinks=False)
    reported = failure(subject.assert_no_file, "/etc/link")
    assert reported.startswith(
        "api: /etc/link is there, expected nothing\n"
        "  it is a symbolic link to 'app.conf', mode 0777, owner "
    )
    assert failure(subject.assert_no_file, "/srv").startswith("api: /srv is there")


def test_texts_are_reported_as_a_difference(subject: Subject) -> None:
    reported = failure(subject.assert_file, "/etc/app.conf", equals="port = 81\nhost = here\n")
    assert reported == (
        "api: /etc/app.conf is not as expected:\n"
        "  --- expected\n"
        "  +++ found\n"
        "  @@ -1,2 +1,2 @@\n"
        "  -port = 81\n"
        "  +port = 80\n"
        "   host = here"
    )
    reported = failure(subject.assert_file, "/etc/app.conf", equals="port = 80\nhost = here")
    assert "they differ in the ends of lines:" in reported


def test_bytes_are_reported_from_where_they_differ(subject: Subject) -> None:
    reported = failure(subject.assert_file, "/data", equals=bytes(range(10)))
    assert reported.startswith(
        "api: /data is not as expected: 20 bytes, expected 10; they differ from"
    )


def test_what_a_file_lacks_is_reported_with_the_line_near_it(subject: Subject) -> None:
    reported = failure(subject.assert_file, "/etc/app.conf", contains="port = 8080")
    assert reported == (
        "api: /etc/app.conf does not contain 'port = 8080'\n  line near it: port = 80"
    )
    reported = failure(subject.assert_file, "/etc/app.conf", matches="^tls")
    assert reported == (
        "api: /etc/app.conf does not match '^tls'\n  it begins:\n    port = 80\n    host = here"
    )
    assert failure(subject.assert_file, "/srv/app/main.py", contains="x").endswith("it is empty")
    assert failure(subject.assert_file, "/data", contains=b"xx").endswith("does not contain b'xx'")


def test_all_that_is_wrong_is_reported_at_once(subject: Subject) -> None:
    reported = failure(subject.assert_file, "/etc/app.conf", mode=0o644, size=1, contains="zzz")
    assert reported.splitlines()[:3] == [
        "api: /etc/app.conf has mode 0640, expected 0644",
        "  /etc/app.conf has 22 bytes, expected 1",
        "  /etc/app.conf does not contain 'zzz'",
    ]


@pytest.mark.parametrize("wrong", [{"mode": "rw-r--r--"}, {"mode": 0.5}, {"size": "much"}])
def test_arguments_that_mean_nothing_are_refused(
    subject: Subject, wrong: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        subject.assert_file("/etc/app.conf", **wrong)
