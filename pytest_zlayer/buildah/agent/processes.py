"""Finding, adopting and ending processes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .descendants import read_quietly
from .launch.system_calls import system_call

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Seconds that the processes of a container may take to be gone once they were killed, and between
# two looks.
_ENDING = 5.0
_LOOKING = 0.005


def adopt_orphans() -> None:
    """From now on descendants whose parent ends become our children, not those of process 1."""
    system_call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(number: int, parent: int) -> None:
    """Asks for this signal when our parent ends, or sends it if that has happened already."""
    system_call("prctl", _PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def wake_on(*numbers: int) -> int:
    """A descriptor that becomes readable with one byte, its number, for each of these signals.

    Those that were held back until now come at once.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    return reader


@contextlib.contextmanager
def held_back(number: int) -> Iterator[None]:
    """A signal does not come in the block; a child that is forked there gets it when it wants."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nothing(*_: object) -> None:
    return None


def take_signals(wakeup: int) -> set[int]:
    """The signals that have come in since the last call."""
    try:
        return set(os.read(wakeup, 4096))
    except BlockingIOError:
        return set()


def wait_readable(descriptors: Iterable[int], seconds: float | None) -> set[int]:
    """Which of the descriptors have something to say, after at most this many seconds."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    milliseconds = None if seconds is None else max(0, int(seconds * 1000) + 1)
    return {descriptor for descriptor, _ in poll.poll(milliseconds)}


def children_of(parent: int) -> list[int]:
    """The direct children of a process."""
    return [pid for pid in all_processes() if _parent_of(pid) == parent]


def output_of(argv: Sequence[str], env: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
    """Status, output and errors of a command; 125 and why for one that cannot be run or hangs."""
    # Imported here: the agent starts in half the time without it, and most need it only once.
    import subprocess

    try:
        done = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 125, "", str(error)
    return done.returncode, done.stdout, done.stderr


def all_processes() -> list[int]:
    """Every process there is to see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class MountNamespace:
    """The mount namespace of a process, held open.

    The kernel gives the number of a namespace that is gone to the next one that is made. As long
    as this is open the number means this namespace and no other.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._identity = _identity(os.fstat(descriptor))

    @classmethod
    def of(cls, pid: int) -> MountNamespace | None:
        """That of a process; ``None`` for one that is gone."""
        try:
            return cls(os.open(_mount_namespace(pid), os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return None

    def end(self) -> None:
        """Kills all processes in it until none is left, and lets go of it."""
        until = time.monotonic() + _ENDING
        while (inside := self._inside()) and time.monotonic() < until:
            for pid in inside:
                kill(pid, signal.SIGKILL)
            time.sleep(_LOOKING)
        os.close(self._descriptor)

    def _inside(self) -> list[int]:
        """The processes in it; one that has ended has no namespace any more."""
        found = []
        for pid in all_processes():
            with contextlib.suppress(OSError):
                if _identity(os.stat(_mount_namespace(pid))) == self._identity:
                    found.append(pid)
        return found


def _mount_namespace(pid: int) -> str:
    return f"/proc/{pid}/ns/mnt"


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name stands in parentheses and may hold anything, even parentheses.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return -1


def kill(pid: int, number: int) -> None:
    """Sends a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_children(seconds: float, spare: Iterable[int] = ()) -> int:
    """Kills all our children, adopted ones too, until none is left; how many there were.

    Those that are spared are not collected either: how they end is still to be heard.
    """
    spared = set(spare)
    killed: set[int] = set()
    until = time.monotonic() + seconds
    while _has_children() and time.monotonic() < until:
        others = set(children_of(os.getpid())) - spared
        targets = {pid for pid in others if not _collect(pid)}
        if not targets:
            break
        for pid in targets:
            kill(pid, signal.SIGKILL)
        killed |= targets
        time.sleep(_LOOKING)
        for pid in targets:
            _collect(pid)
    return len(killed)


def _has_children() -> bool:
    """Whether any child is left, also one that has ended."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _collect(pid: int) -> bool:
    """Whether a child has ended; it is gone then."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    # One that is traced is reported too when it has stopped.
    return found == pid and not os.WIFSTOPPED(status)


def end_contained(tmpdir: str) -> None:
    """Kills what runs in a container into which files of a session's directory are mounted.

    buildah binds files of ``buildah…`` in its TMPDIR into each of its containers. Where these are
    mounted from is shown below the root of their file system, which need not be ``/``; the
    session's directory has a name that no other has.
    """
    mark = os.fsencode(f"/{os.path.basename(tmpdir)}/buildah")
    until = time.monotonic() + _ENDING
    # They may start others while we look.
    while (inside := _mounting(mark)) and time.monotonic() < until:
        for pid in inside:
            kill(pid, signal.SIGKILL)
        time.sleep(_LOOKING)


def _mounting(mark: bytes) -> list[int]:
    """The processes in whose list of mounts this stands; of one that has ended it is gone.

    Those in our own mount namespace are in no container. The list of another one is read once, for
    the first process in it: the kernel writes it anew for each who asks, and that is slow.
    """
    marked = {_identity(os.stat(_mount_namespace(os.getpid()))): False}
    found = []
    for pid in all_processes():
        with contextlib.suppress(OSError):
            namespace = _identity(os.stat(_mount_namespace(pid)))
            if namespace not in marked and (mounts := read_quietly(f"/proc/{pid}/mountinfo")):
                marked[namespace] = mark in mounts
            if marked.get(namespace):
                found.append(pid)
    return found
