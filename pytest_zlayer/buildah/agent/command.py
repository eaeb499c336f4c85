"""A command as it is asked of the agent: it starts with none of the settings of this process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .files.removal import remove_tree
from .processes import output_of

# Seconds an OCI runtime may take to remove a container.
_REMOVING = 30.0
# What we, Python, or the shell that started pytest in the background treat specially: a command
# starts with none of that.
_DEFAULT_SIGNALS = frozenset(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}


@dataclass(slots=True)
class Detached:
    """What a command leaves running that ends as soon as it has started a process.

    Attributes:
        pid_file: where it writes the number of that process, which will be our child.
        state: the directory that the runtime keeps of it; empty where it keeps none.
        remove: the command that removes it from the runtime's records.
        bundle: the directory it was started from, which goes with it.
    """

    pid_file: str
    state: str
    remove: Sequence[str]
    bundle: str

    @classmethod
    def of(cls, message: Mapping[str, Any] | None) -> Detached | None:
        """As the parent asks for it, or ``None``."""
        return None if message is None else cls(**message)

    def pid(self) -> int:
        """The process that was started.

        Raises:
            OSError, ValueError: nobody has written which it is.
        """
        with open(self.pid_file, encoding="ascii") as file:
            return int(file.read())

    def forget(self, env: Mapping[str, str]) -> None:
        """Removes what is left of it, once all its processes have ended."""
        if self.state and os.path.exists(self.state) and not _without_runtime(self.state):
            # What cannot be removed now is tried again at the end of the session.
            output_of(self.remove, env, _REMOVING)
        remove_tree(self.bundle)


@dataclass(slots=True)
class Command:
    """What to run.

    Attributes:
        argv: program and arguments; the program is looked up in the PATH of ``env``.
        env: its whole environment.
        cwd: directory to start in, or ``None``.
        descriptors: its standard input, output and error.
        wrapped: whether ``argv`` is a wrapper that ignores SIGTERM; its child gets the signal.
        relayed: whether its output passes through buildah's chroot isolation.
        lasting: whether what it leaves running goes on until the agent ends.
        reporting: whether to tell how processes end that have outlived their parents: while it
            runs, and with ``lasting`` those that it has left running, for as long as the lifeline
            is open.
        announced: whether to tell when its process in a container has begun; whatever runs in that
            container then ends with it.
        detached: says how to find the process that ``argv``, which ends at once, has started: that
            one is the command then.
    """

    argv: Sequence[str]
    env: dict[str, str]
    cwd: str | None
    descriptors: Sequence[int]
    wrapped: bool
    relayed: bool
    lasting: bool = False
    reporting: bool = False
    announced: bool = False
    detached: Detached | None = None


def start(command: Command) -> tuple[int, int]:
    """Starts a command as a child of this process.

    Returns:
        its number, and 0; or 0, and the ``errno`` with which it could not be started.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(command, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        failed = file.read()
    if failed:
        os.waitpid(pid, 0)
        return 0, int(failed)
    return pid, 0


def _become(command: Command, report: int) -> None:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # Above all targets first: a target number may be the source of another one.
        copies = [_above(descriptor) for descriptor in command.descriptors]
        for target, copy in enumerate(copies):
            os.dup2(copy, target)
        if command.cwd is not None:
            os.chdir(command.cwd)
        os.umask(0o022)
        os.execvpe(command.argv[0], list(command.argv), command.env)  # noqa: S606 (the point)
    except OSError as error:
        os.write(report, str(error.errno or 1).encode("ascii"))
    finally:
        os._exit(127)


def _above(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def _without_runtime(state: str) -> bool:
    """Removes control groups and state as runc would; whether that was all there is to do.

    runc takes 15 ms for it, which is a fifth of what it takes to start a container.
    """
    try:
        with open(os.path.join(state, "state.json"), encoding="utf-8") as file:
            groups = json.load(file)["cgroup_paths"]
        for path in dict.fromkeys(groups.values()):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(path)
        remove_tree(state)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return not os.path.exists(state)
