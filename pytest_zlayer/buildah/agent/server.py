"""The server of the agent: it answers one parent process, then cleans up after it."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import namespaces
from .cleaning import clean
from .command import Command, Detached
from .files.tree import Tree
from .files.upper import scan, upper_of
from .journal import Journal
from .journal_check import MARK
from .leftovers import Leftovers
from .processes import (
    adopt_orphans,
    children_of,
    end_contained,
    held_back,
    kill,
    kill_children,
    take_signals,
    wait_readable,
    wake_on,
)
from .records import StorageOptions
from .services import remove_services
from .supervisor import GRACE, supervise
from .wire import Message, receive, send

Answer = tuple[Any, Sequence[int]]


class Server:
    """Serves one parent until it ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pid = os.getpid()
        self._parent: int | None = None
        self._supervisors: set[int] = set()
        self._left: Leftovers | None = None
        # Supervisors whose commands leave something running, and what they have left.
        self._lasting: set[int] = set()
        self._remaining: set[int] = set()
        self._journal: Journal | None = None
        self._wakeup = -1
        self._asked: dict[str, Callable[[Message, list[int]], Answer]] = {
            "hello": self._hello,
            "adopt": self._adopt,
            "note": self._note,
            "spawn": self._spawn,
            "lstat": lambda message, _: (Tree(message["root"]).lstat(message["path"]), ()),
            "listdir": lambda message, _: (Tree(message["root"]).listdir(message["path"]), ()),
            "resolve": lambda message, _: (Tree(message["root"]).resolve(message["path"]), ()),
            "open": lambda message, _: (None, [Tree(message["root"]).open(message["path"])]),
            "xattrs": _xattrs,
            "remove empty": _remove_empty,
            "upper": lambda message, _: (upper_of(message["root"]), ()),
            "scan": lambda message, _: (scan(message["root"]), ()),
        }

    def serve(self) -> None:
        """Answers until the parent is gone, then ends and removes everything of it."""
        adopt_orphans()
        self._wakeup = wake_on(signal.SIGCHLD, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            while self._step():
                pass
        finally:
            self._end()

    def _step(self) -> bool:
        watched = [self._control.fileno(), self._wakeup]
        if self._parent is not None:
            watched.append(self._parent)
        ready = wait_readable(watched, None)
        if self._wakeup in ready:
            if signal.SIGTERM in take_signals(self._wakeup):
                return False
            self._reap()
        if self._control.fileno() in ready:
            return self._answer()
        return self._parent not in ready

    def _answer(self) -> bool:
        try:
            received = receive(self._control)
        except OSError:
            return False
        if received is None:
            return False
        message, descriptors = received
        try:
            value, handed = self._asked[message["op"]](message, descriptors)
            reply: Message = {"value": value}
        except OSError as error:
            handed = ()
            reply = {"errno": error.errno, "path": error.filename}
        finally:
            _close(descriptors)
        try:
            send(self._control, reply, handed)
        except OSError:
            return False
        finally:
            _close(handed)
        return True

    def _hello(self, message: Message, descriptors: list[int]) -> Answer:
        namespaces.enter(descriptors)
        # A forked child of the parent holds a copy of our lifeline; this sees the parent itself.
        try:
            self._parent = os.pidfd_open(message["parent"])
        except OSError:
            self._parent = None
        return {"pid": self._pid, "variables": namespaces.variables()}, namespaces.opened()

    def _adopt(self, message: Message, descriptors: list[int]) -> Answer:
        left = Leftovers(
            message["binary"], StorageOptions(**message["storage"]), dict(message["env"]),
            message["prefix"], message["tmpdir"], [message["images"]],
        )  # fmt: skip
        if descriptors:
            journal = _take_over(left, message["journal"], descriptors[0])
        else:
            journal = Journal.create(message["journal"], message["session"])
        left.record = journal.add
        self._left, self._journal = left, journal
        # After the journal: what it names is removed by others, whatever becomes of us.
        with contextlib.suppress(FileExistsError):
            os.mkdir(left.tmpdir, 0o700)
        _mark(left.tmpdir, os.path.basename(message["journal"]))
        return None, [journal.descriptor()]

    def _note(self, message: Message, _: list[int]) -> Answer:
        line = message["line"]
        if self._journal is not None:
            self._journal.add(line)
        if self._left is not None:
            self._left.note(line)
        return None, ()

    def _spawn(self, message: Message, descriptors: list[int]) -> Answer:
        env = {**message["env"], **namespaces.variables()}
        command = Command(
            message["argv"], env, message["cwd"], descriptors[:3],
            wrapped=message["wrapped"], relayed=message["relayed"], lasting=message["lasting"],
            reporting=message["reporting"], announced=message["announced"],
            detached=Detached.of(message.get("detached")),
        )  # fmt: skip
        # Until it listens itself: it would take the signal for one to us, or lose it.
        with held_back(signal.SIGTERM):
            pid = os.fork()
            if pid == 0:
                self._become_supervisor(command, descriptors[3])
        self._supervisors.add(pid)
        if command.lasting:
            self._lasting.add(pid)
        return pid, ()

    def _become_supervisor(self, command: Command, lifeline: int) -> None:
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            self._control.close()
            os.close(self._wakeup)
            if self._parent is not None:
                os.close(self._parent)
            code = supervise(command, socket.socket(fileno=lifeline), self._pid)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._supervisors:
                    self._supervisors.discard(pid)
                    self._look_after(pid, status)
        except ChildProcessError:
            return

    def _look_after(self, supervisor: int, status: int) -> None:
        """Ends the children adopted from a supervisor that has ended, or lets them go on."""
        if status != 0:
            # It died before its work was done, so its command is now our child.
            kill_children(GRACE, spare=self._supervisors | self._remaining)
        elif supervisor in self._lasting:
            self._remaining = set(children_of(self._pid)) - self._supervisors
        self._lasting.discard(supervisor)

    def _end(self) -> None:
        self._control.close()
        for pid in self._supervisors:
            kill(pid, signal.SIGTERM)
        until = time.monotonic() + GRACE + 1.0
        while self._supervisors and time.monotonic() < until:
            wait_readable([self._wakeup], 0.2)
            take_signals(self._wakeup)
            self._reap()
        if self._left is not None:
            remove_services(self._left.services)
        kill_children(GRACE)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._clean()

    def _clean(self) -> None:
        if self._left is None:
            return
        os.chdir("/")
        problems = clean(self._left)
        # With something left the journal stays, for the next session to try again.
        if self._journal is not None and not problems:
            self._journal.remove()


def _take_over(left: Leftovers, path: str, descriptor: int) -> Journal:
    """Goes on where an agent of the same parent was killed."""
    end_contained(left.tmpdir)
    journal = Journal.take_over(path, descriptor)
    for line in list(journal.lines())[1:]:
        left.note(line)
    return journal


def _mark(directory: str, journal: str) -> None:
    """Marks the directory with the name of its journal."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(os.path.join(directory, MARK), flags, 0o600)
    try:
        os.write(descriptor, journal.encode("ascii"))
    finally:
        os.close(descriptor)


def _xattrs(message: Message, _: list[int]) -> Answer:
    found = Tree(message["root"]).xattrs(message["path"])
    return {name: base64.b64encode(value).decode("ascii") for name, value in found.items()}, ()


def _remove_empty(message: Message, _: list[int]) -> Answer:
    tree = Tree(message["root"])
    for path in message["paths"]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            tree.remove_empty(path)
    return None, ()


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main(arguments: Sequence[str]) -> int:
    """Runs what the arguments name, by default the agent on its standard input."""
    if arguments[:1] == ["prepare"]:
        from .launch.prepare import prepare

        return prepare(arguments[1:])
    if arguments[:1] == ["init"]:
        from .launch.init import init

        return init(arguments[1], arguments[2:])
    if arguments[:1] == ["enter"]:
        from .launch.enter import enter

        return enter(arguments[1])
    if arguments[:1] == ["unpack"]:
        from .files.unpack import unpack

        root, layer = arguments[1:]
        unpack(root, layer)
        return 0
    if arguments[:1] == ["sweep"]:
        from .sweep import sweep

        return sweep()
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    Server(control).serve()
    return 0
