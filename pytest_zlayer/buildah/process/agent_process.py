"""One agent process, and the thread that speaks with it."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent import wire
from pytest_zlayer.buildah.agent.processes import wait_readable
from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.waiting import Outcome, join, left

_AGENT = Path(__file__).parent.with_name("agent")
# Seconds the agent may take to end commands and clean up before we stop waiting for it.
_CLEANING = 90.0
# Seconds an answer to the last question is waited for.
_PARTING = 5.0
# Seconds a process that was killed may take to be gone.
_DYING = 5.0
# Seconds the commands of an agent that was killed may take to be gone.
_COMMANDS_DYING = 30.0

Answer = tuple[Any, list[int]]


def agent_argv(*words: str) -> list[str]:
    """The command line of the agent; the words name something else that its program does.

    Isolated and without ``site``: it starts in 15 ms instead of 60, and nothing that is installed
    beside us runs in it.
    """
    return [sys.executable, "-I", "-S", os.fspath(_AGENT), *words]


class AgentGone(Exception):
    """The agent did not answer.

    Attributes:
        asked: whether it may have got the question.
    """

    def __init__(self, *, asked: bool) -> None:
        super().__init__()
        self.asked = asked


class _Question(Outcome[Answer]):
    """What is asked, and the answer to it.

    The thread that asks may be interrupted at any moment, by what the handler of a signal raises,
    and close what it has passed: these are copies.
    """

    descriptors: Sequence[int] = ()

    def __init__(self, message: wire.Message, descriptors: Sequence[int]) -> None:
        super().__init__()
        self.message = message
        self.descriptors = copies = list[int]()
        copies.extend(map(os.dup, descriptors))

    def close(self) -> None:
        """Lets go of what was passed."""
        descriptors, self.descriptors = self.descriptors, ()
        for one in descriptors:
            os.close(one)

    __del__ = close  # it was never asked


class AgentProcess:
    """A process that was started as an agent. Thread-safe.

    Attributes:
        pid: the process started; with a prefix the agent is another one.
    """

    def __init__(self, prefix: Sequence[str], env: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        argv = [*prefix, *agent_argv()]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    argv,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=dict(env),
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                raise EngineUnusable(f"{argv[0]} cannot be started: {error.strerror}") from error
        self.pid = int(self._process.pid)
        self._said = bytearray()
        self._silent = False
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        # A thread of its own: a KeyboardInterrupt hits the main thread, and must not cut a message.
        self._thread = threading.Thread(target=self._converse, name="zlayer-agent", daemon=True)
        self._thread.start()

    def ask(self, message: wire.Message, descriptors: Sequence[int] = ()) -> Answer:
        """Asks the agent and waits for the answer.

        Raises:
            OSError: what the operating system said to it.
            AgentGone: it is not there any more.
        """
        question = _Question(message, descriptors)
        self._questions.put(question)
        if self._silent:
            self._refuse_the_rest()
        return question.result()

    def _converse(self) -> None:
        while (question := self._questions.get()) is not None:
            asked = False
            try:
                with closing(question):
                    wire.send(self._control, question.message, question.descriptors)
                asked = True
                received = wire.receive(self._control)
                if received is None:
                    raise BrokenPipeError
            except OSError:
                question.fail(AgentGone(asked=asked))
                continue
            except (TypeError, ValueError) as error:  # no JSON: the asker waits for an answer
                question.fail(error)
                continue
            reply, descriptors = received
            if "errno" in reply:
                number = reply["errno"] or 5
                question.fail(OSError(number, os.strerror(number), reply.get("path")))
            else:
                question.give((reply["value"], descriptors))
        self._silent = True
        self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        with suppress(queue.Empty):
            while True:
                question = self._questions.get_nowait()
                if question is not None:
                    question.fail(AgentGone(asked=False))

    def was_killed(self) -> bool:
        """Whether it has ended otherwise than by itself; also ``False`` while it cleans up."""
        try:
            # Its end of the conversation is closed a moment before it can be waited for.
            return self._process.wait(_DYING) != 0
        except subprocess.TimeoutExpired:
            return False

    def wait_for_commands(self) -> None:
        """Waits until the commands of one that was killed have ended too.

        What watches them has the standard error of the agent, which they themselves have not.
        """
        self._listen(_COMMANDS_DYING)

    def _listen(self, seconds: float) -> None:
        errors = self._process.stderr
        if errors is None or errors.closed:
            return
        until = time.monotonic() + seconds
        while True:
            pause = max(0.0, left(until))
            if wait_readable([errors.fileno()], pause):
                data = os.read(errors.fileno(), 4096)
                if not data:
                    return
                self._said += data
            elif not pause:
                return

    def last_error_line(self) -> str:
        """The last line that it wrote to standard error."""
        self._listen(0.0)
        lines = self._said.decode("utf-8", "replace").splitlines()
        return lines[-1].strip() if lines else ""

    def disconnect(self) -> None:
        """Closes our end of the conversation: for a forked child, whose agent this is not."""
        self._control.close()

    def release(self) -> None:
        """Lets it end everything and clean up, and waits for it."""
        self._questions.put(None)
        join(self._thread, _PARTING)
        self._control.close()
        try:
            self._process.wait(_CLEANING)
            self.wait_for_commands()
        except subprocess.TimeoutExpired:
            return
        finally:
            if self._process.stderr is not None:
                self._process.stderr.close()
