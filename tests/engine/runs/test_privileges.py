"""More capabilities, privileged commands and terminals, with every isolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.capabilities import to_add
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.errors import UsageError
from tests.engine.conftest import Storage

NET_ADMIN, SYS_ADMIN = 1 << 12, 1 << 21
BITS = "grep -E '^Cap(Eff|Bnd)' /proc/self/status | cut -f2"
FENCES = """
grep ^Seccomp: /proc/self/status | cut -f2
head -c 1 /proc/timer_list | grep -q . && echo seen
(: >> /proc/sys/kernel/hostname) 2>/dev/null && echo writable
mkdir -p /mnt/m && mount -t tmpfs none /mnt/m && echo mounted && umount /mnt/m
test -c /dev/loop-control && echo device
"""


@dataclass
class Subject:
    """A container of one engine."""

    engine: Engine
    container: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def run(self, script: str, **more: Any) -> int:
        """The exit status; what was written is in ``lines``."""
        self.lines.clear()
        take = lambda stream, text: self.lines.append((stream, text))  # noqa: E731
        options = {"user": "0:0", "timeout": 60.0, "on_text": take, **more}
        request = RunRequest(self.container, ["sh", "-c", script], **options)
        return self.engine.run(request).exit_code

    def sets(self, **more: Any) -> tuple[int, int]:
        """The capabilities that it has, and may have."""
        assert self.run(BITS, **more) == 0
        effective, bounding = (int(text, 16) for _, text in self.lines)
        return effective, bounding


@pytest.fixture(scope="module", params=["auto", "buildah", "chroot"])
def subject(
    storage: Storage, busybox: str, short_tmpdir: Path, request: pytest.FixtureRequest
) -> Iterator[Subject]:
    engine = replace(storage, tmpdir=short_tmpdir).open(isolation=request.param)
    try:
        yield Subject(engine, engine.from_image(busybox))
    finally:
        engine.close()


def test_capabilities_are_added(subject: Subject) -> None:
    usual, _ = subject.sets()
    assert not usual & (NET_ADMIN | SYS_ADMIN)
    effective, bounding = subject.sets(cap_add=["CAP_NET_ADMIN", "CAP_SYS_ADMIN"])
    assert effective == bounding == usual | NET_ADMIN | SYS_ADMIN
    assert subject.sets() == (usual, usual)


def test_another_user_may_only_have_them(subject: Subject) -> None:
    _, usual = subject.sets()
    assert subject.sets(cap_add=["CAP_NET_ADMIN"], user="app") == (0, usual | NET_ADMIN)


def test_all_are_those_of_this_process(subject: Subject) -> None:
    ours = Path("/proc/self/status").read_text(encoding="ascii")
    expected = int(ours.partition("CapBnd:")[2].split()[0], 16)
    assert subject.sets(cap_add=["ALL"]) == (expected, expected)
    assert subject.sets(privileged=True) == (expected, expected)


def test_system_calls_are_filtered_by_the_capabilities(subject: Subject) -> None:
    script = "mkdir -p /mnt/x && mount -t tmpfs none /mnt/x && echo mounted && umount /mnt/x"
    assert subject.run(script) != 0
    assert subject.run(script, cap_add=["CAP_SYS_ADMIN"]) == 0
    assert subject.lines == [("stdout", "mounted\n")]


def test_privileged_commands_are_not_fenced_in(subject: Subject) -> None:
    subject.run(FENCES)
    assert ("stdout", "2\n") in subject.lines
    assert not {"seen\n", "writable\n", "mounted\n"} & {text for _, text in subject.lines}
    subject.run(FENCES, privileged=True)
    found = [text for stream, text in subject.lines if stream == "stdout"]
    if "started directly" in subject.engine.describe():
        assert found == ["0\n", "seen\n", "writable\n", "mounted\n", "device\n"]
    else:
        assert "mounted\n" in found


def test_terminal(subject: Subject) -> None:
    script = (
        "tty; echo out; echo err >&2; cat; test -t 0 && test -t 1 && test -t 2; echo $?; exit 3"
    )
    assert subject.run(script, terminal="recorded") == 3
    (_, name), *rest = subject.lines
    assert name.startswith("/dev/pts/")
    assert rest == [("stdout", "out\r\n"), ("stdout", "err\r\n"), ("stdout", "0\r\n")]


def test_all_that_is_written_to_a_terminal_is_given(subject: Subject) -> None:
    for _ in range(5):
        assert subject.run("seq 20000", terminal="recorded") == 0
        assert [text for _, text in subject.lines] == [f"{n}\r\n" for n in range(1, 20001)]


def test_command_with_a_terminal_that_is_not_there(subject: Subject) -> None:
    request = RunRequest(subject.container, ["/none"], terminal="recorded")
    assert subject.engine.run(request).exit_code == 127


def test_command_with_a_terminal_is_ended_when_its_time_is_over(
    subject: Subject, time_is_over: Callable[..., None]
) -> None:
    options = {"terminal": "recorded", "timeout": 600.0, "on_line": time_is_over}
    assert subject.run("echo a; sleep 600", **options) == 124
    assert subject.lines == [("stdout", "a\r\n")]


def test_input_besides_a_terminal_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be given input"):
        RunRequest("c", ["cat"], terminal="recorded", stdin=b"x")


def test_path_that_is_too_long_for_buildahs_terminal_is_refused(
    storage: Storage, busybox: str, tmp_path: Path
) -> None:
    tmpdir = tmp_path / ("long" * 20)
    tmpdir.mkdir()
    engine = replace(storage, tmpdir=tmpdir).open(isolation="buildah")
    try:
        if engine.isolation == "chroot":
            pytest.skip("no OCI runtime works here")
        request = RunRequest(engine.from_image(busybox), ["true"], terminal="recorded")
        with pytest.raises(UsageError, match="is too long for the path of a socket") as caught:
            engine.run(request)
        assert caught.value.hint == "set TMPDIR to a shorter path"
    finally:
        engine.close()


def test_what_this_process_may_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_zlayer.buildah.capabilities._available", lambda: ["CAP_CHOWN"])
    with pytest.raises(UsageError) as caught:
        to_add(["CAP_CHOWN", "CAP_SYS_BOOT"])
    assert caught.value.message == (
        "CAP_SYS_BOOT cannot be given to a container: this process may not have it either"
    )
    assert caught.value.hint == "in a container run it with --cap-add SYS_BOOT"
    assert to_add(["ALL"]) == ("CAP_CHOWN",)
