"""The parent's side of the agent: starting it, asking it, and ending it."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent import wire
from pytest_zlayer.buildah.errors import EngineUnusable

_AGENT = Path(__file__).with_name("agent")
# Seconds the agent may take to end commands and clean up before we stop waiting for it.
_FAREWELL = 90.0
# Seconds an answer to the last question is waited for.
_PARTING = 5.0

Answer = tuple[Any, list[int]]


@dataclass(frozen=True, slots=True)
class _Question:
    message: wire.Message
    descriptors: Sequence[int]
    answer: Future[Answer]


class AgentClient:
    """A running agent. Thread-safe; of use only in the process that started it."""

    def __init__(self, prefix: Sequence[str], env: Mapping[str, str]) -> None:
        self._owner = os.getpid()
        self._closed = False
        self._control, theirs = socket.socketpair()
        argv = [*prefix, sys.executable, "-I", "-S", os.fspath(_AGENT)]
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
        # The process started, until the agent has told its own number.
        self.pid = int(self._process.pid)
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        # A thread of its own: a KeyboardInterrupt hits the main thread, and must not cut a message.
        self._thread = threading.Thread(target=self._converse, name="zlayer-agent", daemon=True)
        self._thread.start()

    def greet(self, tmpdir: Path, env: Mapping[str, str]) -> None:
        """Tells the agent whom it serves and where it may put files; it makes that directory.

        Raises:
            OSError: it cannot.
            EngineUnusable: the agent did not start.
        """
        answer = self.ask("hello", parent=self._owner, tmpdir=os.fspath(tmpdir), env=dict(env))[0]
        self.pid = int(answer["pid"])

    def ask(self, question: str, descriptors: Sequence[int] = (), **fields: Any) -> Answer:
        """Asks the agent and waits for the answer.

        Raises:
            OSError: what the operating system said to it.
            EngineUnusable: the agent is gone.
        """
        if os.getpid() != self._owner:
            raise EngineUnusable("this buildah session belongs to the process that forked this one")
        if self._closed:
            raise EngineUnusable("this buildah session is closed")
        answer: Future[Answer] = Future()
        self._questions.put(_Question({"op": question, **fields}, descriptors, answer))
        return answer.result()

    def _converse(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                wire.send(self._control, question.message, question.descriptors)
                received = wire.receive(self._control)
                if received is None:
                    raise BrokenPipeError
            except OSError:
                question.answer.set_exception(self._gone())
                continue
            reply, descriptors = received
            if "errno" in reply:
                number = reply["errno"] or 5
                error = OSError(number, os.strerror(number), reply.get("path"))
                question.answer.set_exception(error)
            else:
                question.answer.set_result((reply["value"], descriptors))

    def _gone(self) -> EngineUnusable:
        said = ""
        if self._process.poll() is not None and self._process.stderr is not None:
            said = self._process.stderr.read().decode("utf-8", "replace").strip()
        message = "the process that runs buildah for this session has ended"
        return EngineUnusable(f"{message}: {said.splitlines()[-1]}" if said else message)

    def close(self) -> None:
        """Lets the agent end everything and clean up, and waits for it."""
        if os.getpid() != self._owner:
            self._control.close()
            return
        self._closed = True
        self._questions.put(None)
        self._thread.join(_PARTING)
        self._control.close()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            return
        finally:
            if self._process.stderr is not None:
                self._process.stderr.close()
