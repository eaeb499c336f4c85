"""The parent's side of the agent: asking it, ending it, and replacing one that was killed."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pytest_zlayer.buildah.agent import wire
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.failures import KILLED
from pytest_zlayer.buildah.process.agent_process import AgentGone, AgentProcess, Answer
from pytest_zlayer.waiting import held

# How many agents of one session are replaced; where more are killed, something is wrong.
MOST_REPLACED = 3


class AgentClient:
    """A running agent. Thread-safe; of use only in the process that started it.

    Once it has adopted the session (:meth:`adopt`), an agent that is killed is replaced by
    another one, which goes on with the same journal and the same directory.
    """

    def __init__(self, prefix: Sequence[str], env: Mapping[str, str]) -> None:
        self._owner = os.getpid()
        self._closed = False
        self._env = dict(env)
        self._agent = AgentProcess(prefix, env)
        self._adoption: wire.Message = {}
        # Open files: they keep what an agent that is killed had.
        self._journal: list[int] = []
        self._namespaces: list[int] = []
        self._replacing = threading.Lock()
        self._replaced = 0
        self._over = False
        os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))

    @property
    def pid(self) -> int:
        """The process that is the agent now."""
        return self._agent.pid

    def greet(self) -> None:
        """Tells the agent whom it serves.

        Raises:
            EngineUnusable: it did not start.
        """
        answer, self._namespaces = self._answer({"op": "hello", "parent": self._owner})
        self._agent.pid = int(answer["pid"])
        self._env.update(answer["variables"])

    def adopt(self, **fields: Any) -> None:
        """Tells the agent what to remove at the end; it writes a journal and makes its directory.

        Raises:
            OSError: it cannot.
        """
        self._adoption = {"op": "adopt", **fields}
        _, self._journal = self._answer(self._adoption)

    def ask(self, question: str, descriptors: Sequence[int] = (), **fields: Any) -> Answer:
        """Asks the agent and waits for the answer.

        Raises:
            OSError: what the operating system said to it.
            EngineError: it was killed just now, and may have started the command or not.
            EngineUnusable: it is gone.
        """
        return self._answer({"op": question, **fields}, descriptors)

    def _answer(self, message: wire.Message, descriptors: Sequence[int] = ()) -> Answer:
        if os.getpid() != self._owner:
            raise EngineUnusable("this buildah session belongs to the process that forked this one")
        if self._closed:
            raise EngineUnusable("this buildah session is closed")
        agent = self._agent
        try:
            return agent.ask(message, descriptors)
        except AgentGone as gone:
            asked = gone.asked
        self._replace(agent)
        if asked and message["op"] == "spawn":
            raise EngineError(KILLED)
        return self._answer(message, descriptors)

    def _replace(self, agent: AgentProcess) -> None:
        with held(self._replacing):
            if self._agent is not agent:
                return  # another thread was quicker
            if not self._may_be_replaced(agent):
                self._over = True
                raise _gone(agent)
            self._replaced += 1
            try:
                self._agent = self._successor(agent)
            except (OSError, AgentGone):
                raise _gone(agent) from None
            agent.release()

    def _may_be_replaced(self, agent: AgentProcess) -> bool:
        if self._closed or self._over or self._replaced == MOST_REPLACED:
            return False
        return self._has_left_everything(agent)

    def _has_left_everything(self, agent: AgentProcess) -> bool:
        """Whether it was killed; one that ended by itself has removed its journal."""
        if not self._journal or not agent.was_killed():
            return False
        return os.fstat(self._journal[0]).st_nlink > 0

    def _successor(self, agent: AgentProcess) -> AgentProcess:
        agent.wait_for_commands()
        successor = AgentProcess((), self._env)
        try:
            hello = {"op": "hello", "parent": self._owner}
            answer, namespaces = successor.ask(hello, self._namespaces)
            successor.pid = int(answer["pid"])
            _, journal = successor.ask(self._adoption, self._journal)
            _close([*namespaces, *journal])
        except BaseException:
            successor.release()
            raise
        return successor

    def close(self) -> None:
        """Lets the agent end everything and clean up, and waits for it."""
        if os.getpid() != self._owner:
            self._agent.disconnect()
        elif not self._closed:
            self._closed = True
            with held(self._replacing):
                self._end()
        _close([*self._journal, *self._namespaces])
        self._journal, self._namespaces = [], []

    def _end(self) -> None:
        agent = self._agent
        agent.release()
        if self._has_left_everything(agent):
            with suppress(OSError, AgentGone, EngineUnusable):
                self._successor(agent).release()


def _let_go(reference: weakref.ref[AgentClient]) -> None:
    """In a forked child: what it has open would keep the session alive when the parent is gone."""
    client = reference()
    if client is not None:
        client.close()


def _gone(agent: AgentProcess) -> EngineUnusable:
    said = agent.last_error_line()
    message = "the process that runs buildah for this session has ended"
    return EngineUnusable(f"{message}: {said}" if said else message)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
