"""A container in which a program of a few bytes is run, to see how commands can be."""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.containers import from_image
from pytest_zlayer.buildah.commands.isolation_kinds import Isolation, contain, runtime_root
from pytest_zlayer.buildah.commands.traces import of_removed_containers
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.process.command import Request
from pytest_zlayer.choices import NetworkMode

_PATIENCE = 30.0
# A whole static program that exits with status 0, by machine: its ELF number and its code.
_EXIT_ZERO = {
    # xor edi, edi; mov eax, 60; syscall
    "x86_64": (62, bytes.fromhex("31ff b83c000000 0f05")),
    # mov x0, #0; mov x8, #93; svc #0
    "aarch64": (183, bytes.fromhex("000080d2 a80b80d2 010000d4")),
}
# A program that waits for ever, and collects the children that have become its own. As
# ``agent/launch/init.py`` does it writes 32 bytes of each before that, and reads one:
#
#     loop: if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT, 0) == 0) {
#               write(1, &info, 32); read(0, &byte, 1); wait4(info.si_pid, 0, 0, 0);
#           } else
#               poll(0, 0, 50);  // milliseconds; ppoll on aarch64
#           goto loop
_WAIT = {
    "x86_64": (
        62,
        bytes.fromhex(
            "4881ec80000000"
            "31ff 31f6 4889e2 41ba04000001 4531c0 b8f7000000 0f05 85c0 7538"
            "bf01000000 4889e6 ba20000000 b801000000 0f05"
            "31ff 488d742440 ba01000000 31c0 0f05"
            "8b7c2410 31f6 31d2 4531d2 b83d000000 0f05 ebad"
            "31ff 31f6 ba32000000 b807000000 0f05 eb9b"
        ),
    ),
    "aarch64": (
        183,
        bytes.fromhex(
            "ff0302d1"
            "000080d2 010080d2 e2030091 830080d2 0320a0f2 040080d2 e80b80d2 010000d4 400200b5"
            "200080d2 e1030091 020480d2 080880d2 010000d4"
            "000080d2 e1030191 220080d2 e80780d2 010000d4"
            "e01340b9 010080d2 020080d2 030080d2 882080d2 010000d4 e7ffff17"
            "000080d2 010080d2 ff2300f9 05109ed2 455fa0f2 e52700f9 e2030191 030080d2 280980d2"
            "010000d4 dcffff17"
        ),
    ),
}


class Probe:
    """A container with nothing but a program that ends at once, made when it is first needed.

    Args:
        commander: gives buildah its commands.
        name: of the container.
        tmpdir: where the program is written first.
        runtime_for: the runtime to use in place of that of an isolation.

    Attributes:
        uncertain: whether an attempt has failed for a reason that may pass.
    """

    def __init__(
        self,
        commander: Commander,
        name: str,
        tmpdir: Path,
        runtime_for: Callable[[str], str],
    ) -> None:
        self.commander = commander
        self._name = name
        self._tmpdir = tmpdir
        self._runtime_for = runtime_for
        self._program = exit_zero(platform.machine())
        self._made = False
        self.uncertain = False

    @property
    def can_run(self) -> bool:
        """Whether there is a program for this machine."""
        return self._program is not None

    def _make(self, program: bytes) -> None:
        file = self._tmpdir / "exit-zero"
        file.write_bytes(program)
        file.chmod(0o755)
        self._made = True
        from_image(self.commander, self._name, "scratch", None)
        self.commander.output(["copy", self._name, str(file), "/exit-zero"])

    def attempt(
        self,
        candidate: Isolation,
        *,
        network: NetworkMode = "default",
        user: str = "0:0",
        cap_add: Sequence[str] = (),
    ) -> str | None:
        """Why the program does not run in this isolation, or ``None``.

        Raises:
            EngineError: the attempt was interrupted.
        """
        if not self._made and self._program is not None:
            self._make(self._program)
        runtime = self._runtime_for(candidate.runtime) if candidate.runtime else None
        options = arguments.RunOptions(
            env={}, user=user, workdir="", volumes=(), network=network,
            isolation=candidate.kind, runtime=runtime,
            runtime_root=runtime_root(self._tmpdir, candidate), cap_add=cap_add,
        )  # fmt: skip
        line = self.commander.argv(arguments.run(self._name, ["/exit-zero"], options))
        wrapped = contain() if candidate.contained else []
        request = Request(
            argv=[*wrapped, *line],
            env=self.commander.env,
            timeout=_PATIENCE,
            wrapped=bool(wrapped),
        )
        try:
            done = self.commander.finish(request)
        except EngineError as error:
            if error.interrupted:
                raise
            self.uncertain = True
            return error.message
        self.uncertain |= bool(done.killed_by_signal)
        if done.exit_code == 0:
            return None
        own = "Error: ex"
        said = [text for text in done.stderr_tail if text.strip() and not text.startswith(own)]
        problem = said[0] if said else f"exit status {done.exit_code}"
        return problem.replace(runtime or "\0", candidate.runtime or "")

    def close(self) -> None:
        """Removes the container, if it was made."""
        if self._made:
            traces = of_removed_containers(self.commander, [self._name])
            self.commander.call(["rm", self._name], leaves=traces)
            self._made = False


def exit_zero(machine: str) -> bytes | None:
    """A program for this kind of machine, ``None`` where we have none."""
    return _program(_EXIT_ZERO.get(machine))


def waiting_program(machine: str) -> bytes | None:
    """A program for this kind of machine that does not end, ``None`` where we have none.

    It collects what becomes its child, and tells of that as ``agent/launch/init.py`` does.
    """
    return _program(_WAIT.get(machine))


def _program(known: tuple[int, bytes] | None) -> bytes | None:
    if known is None:
        return None
    number, code = known
    start = 0x400000
    size = 64 + 56 + len(code)
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, number, 1,
        start + 64 + 56, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000)
    return header + segment + code
