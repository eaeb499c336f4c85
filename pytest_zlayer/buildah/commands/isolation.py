"""How RUN can be isolated on this machine: tried once, with a program of a few bytes."""

from __future__ import annotations

import os
import platform
import shutil
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.probe import Memory
from pytest_zlayer.buildah.commands.traces import of_from, of_removed_containers
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.process.command import Completed, Request

KINDS = ("oci", "rootless", "chroot")
_RUNTIMES = ("crun", "runc")
_PATIENCE = 30.0
# A whole static program that exits with status 0, by machine: its ELF number and its code.
_EXIT_ZERO = {
    # xor edi, edi; mov eax, 60; syscall
    "x86_64": (62, bytes.fromhex("31ff b83c000000 0f05")),
    # mov x0, #0; mov x8, #93; svc #0
    "aarch64": (183, bytes.fromhex("000080d2 a80b80d2 010000d4")),
}


@dataclass(frozen=True, slots=True)
class Isolation:
    """How RUN is isolated.

    Attributes:
        kind: ``oci``, ``rootless`` or ``chroot``.
        runtime: path of the OCI runtime for the first two, else ``None``. A bare name buildah
            would look up in its own configuration instead of PATH.
        contained: chroot only: whether a RUN gets its own process and mount namespaces.
    """

    kind: str
    runtime: str | None = None
    contained: bool = False

    def __str__(self) -> str:
        return f"{self.kind} with {os.path.basename(self.runtime)}" if self.runtime else self.kind


def choose(
    commander: Commander,
    wanted: str,
    memory: Memory,
    tmpdir: Path,
    *,
    container: str,
    rootless: bool,
) -> Isolation:
    """The strongest isolation that works here, or the one that was asked for.

    Raises:
        EngineUnusable: there is no such isolation, or none works; it says what each failed with.
    """
    if wanted not in ("auto", *KINDS):
        raise EngineUnusable(
            f"there is no isolation {wanted!r}", hint=f"there are: auto, {', '.join(KINDS)}"
        )
    known = list(candidates(wanted, commander.env["PATH"], rootless=rootless))
    question = f"isolation {' '.join(f'{one.kind}:{one.runtime}' for one in known)}"
    remembered = _recall(memory.get(question))
    # Whatever the file says, nothing is run but what would be tried.
    if remembered is not None and remembered in (*known, _untried(wanted)):
        return remembered
    chosen = _try_all(commander, wanted, tmpdir, container=container, rootless=rootless)
    memory.put(question, asdict(chosen))
    return chosen


def _recall(answer: Any) -> Isolation | None:
    try:
        return Isolation(**answer)
    except TypeError:
        return None


def candidates(wanted: str, path: str, *, rootless: bool) -> Iterator[Isolation]:
    """What to try, strongest first."""
    kinds = KINDS if wanted == "auto" else (wanted,)
    runtimes = [found for name in _RUNTIMES if (found := shutil.which(name, path=path))]
    for kind in kinds:
        if kind == "chroot":
            if shutil.which("unshare", path=path):
                yield Isolation("chroot", contained=True)
            yield Isolation("chroot")
        elif kind == "rootless" or not rootless or wanted == "oci":
            yield from (Isolation(kind, runtime) for runtime in runtimes)


def _try_all(
    commander: Commander, wanted: str, tmpdir: Path, *, container: str, rootless: bool
) -> Isolation:
    program = exit_zero(platform.machine())
    if program is None:
        # No program of ours can run on this machine, and no image is at hand to try with.
        return _untried(wanted)
    attempts: list[str] = []
    try:
        _make_container(commander, container, program, tmpdir)
        for candidate in candidates(wanted, commander.env["PATH"], rootless=rootless):
            problem = _attempt(commander, candidate, container, tmpdir)
            if problem is None:
                return candidate
            attempts.append(f"  {candidate}: {problem}")
    finally:
        traces = of_removed_containers(commander, [container])
        commander.call(["rm", container], leaves=traces)
    raise EngineUnusable(_verdict(wanted, attempts), hint=_advice(wanted, rootless=rootless))


def _untried(wanted: str) -> Isolation:
    """What is taken where nothing can be tried."""
    return Isolation("chroot" if wanted == "auto" else wanted, _runtime_for(wanted))


def _runtime_for(kind: str) -> str | None:
    return None if kind in ("auto", "chroot") else _RUNTIMES[0]


def _make_container(commander: Commander, name: str, program: bytes, tmpdir: Path) -> None:
    file = tmpdir / "exit-zero"
    file.write_bytes(program)
    file.chmod(0o755)
    traces = of_from(commander, "scratch")
    commander.output(["from", "--name", name, "scratch"], leaves=traces)
    commander.output(["copy", name, str(file), "/exit-zero"])


def _attempt(commander: Commander, candidate: Isolation, name: str, tmpdir: Path) -> str | None:
    """Why this isolation does not work, or ``None``."""
    options = arguments.RunOptions(
        env={}, user="0:0", workdir="", volumes=(), network="default",
        isolation=candidate.kind, runtime=candidate.runtime,
        runtime_root=runtime_root(tmpdir, candidate),
    )  # fmt: skip
    line = commander.argv(arguments.run(name, ["/exit-zero"], options))
    wrapped = contain() if candidate.contained else []
    try:
        done = _run(commander, [*wrapped, *line], wrapped=bool(wrapped))
    except EngineError as error:
        return error.message
    if done.exit_code == 0:
        return None
    said = [text for text in done.stderr_tail if text.strip() and not text.startswith("Error: ex")]
    return said[0] if said else f"exit status {done.exit_code}"


def _run(commander: Commander, argv: list[str], *, wrapped: bool) -> Completed:
    request = Request(argv=argv, env=commander.env, timeout=_PATIENCE, wrapped=wrapped)
    return commander.finish(request)


def contain(*, network: bool = True) -> list[str]:
    """The command in front of a chroot RUN that gives it process and mount namespaces.

    Without it a RUN can signal the processes of the host, and what it starts outlives it.
    """
    line = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    return line if network else [*line, "--net"]


def runtime_root(tmpdir: Path, isolation: Isolation) -> Path | None:
    """Where the OCI runtime keeps its state, so that nothing of it stays in /run."""
    if isolation.runtime is None:
        return None
    return tmpdir / "runtime" / os.path.basename(isolation.runtime)


def _verdict(wanted: str, attempts: list[str]) -> str:
    what = "RUN cannot be isolated on this machine"
    if wanted != "auto":
        what = f"RUN does not work with isolation {wanted} on this machine"
    return "\n".join([f"{what}:", *(attempts or ["  no OCI runtime (crun, runc) is installed"])])


def _advice(wanted: str, *, rootless: bool) -> str:
    if wanted != "auto":
        return "leave --zlayer-isolation at auto"
    if rootless:
        return (
            "as an ordinary user: entries in /etc/subuid and /etc/subgid, the package uidmap, and "
            "in a container --security-opt seccomp=unconfined --device /dev/fuse"
        )
    return "in a container run it with --privileged or --cap-add SYS_ADMIN"


def exit_zero(machine: str) -> bytes | None:
    """A program for this machine that ends with status 0; ``None`` for an unknown machine."""
    if machine not in _EXIT_ZERO:
        return None
    number, code = _EXIT_ZERO[machine]
    start = 0x400000
    size = 64 + 56 + len(code)
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, number, 1,
        start + 64 + 56, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000)
    return header + segment + code
