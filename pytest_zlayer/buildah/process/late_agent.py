"""An agent that is started only when it is first asked something."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.waiting import held

if TYPE_CHECKING:
    from pytest_zlayer.buildah.process.agent_client import AgentClient
    from pytest_zlayer.buildah.process.agent_process import Answer


class Agent(Protocol):
    """What is asked of an agent, whenever it starts."""

    @property
    def pid(self) -> int:
        """The process that is the agent now."""
        ...

    def ask(self, question: str, descriptors: Sequence[int] = (), **fields: Any) -> Answer:
        """Asks it and waits for the answer; see :meth:`AgentClient.ask`."""
        ...

    def close(self) -> None:
        """Lets it end everything and clean up, and waits for it."""
        ...


class LateAgent:
    """Thread-safe; of use only in the process that made it.

    Args:
        start: starts the agent and hands the session to it. Where that fails, the next question
            tries again.
    """

    def __init__(self, start: Callable[[], AgentClient]) -> None:
        self._owner = os.getpid()
        self._start = start
        self._client: AgentClient | None = None
        self._closed = False
        self._starting = threading.Lock()

    @property
    def pid(self) -> int:
        """The process that is the agent now; it is started for that."""
        return self.started().pid

    def started(self) -> AgentClient:
        """The agent, running.

        Raises:
            EngineUnusable: it cannot be started, the session is closed, or it is another process's.
        """
        if os.getpid() != self._owner:
            # Its lock may be held for ever here, and its agent would serve both.
            raise EngineUnusable("this buildah session belongs to the process that forked this one")
        with held(self._starting):
            if self._closed:
                raise EngineUnusable("this buildah session is closed")
            if self._client is None:
                self._client = self._start()
            return self._client

    def ask(self, question: str, descriptors: Sequence[int] = (), **fields: Any) -> Answer:
        """Asks it and waits for the answer; see :meth:`AgentClient.ask`."""
        return self.started().ask(question, descriptors, **fields)

    def close(self) -> None:
        """Lets it end everything and clean up, and waits for it; nothing if it was not needed."""
        if os.getpid() != self._owner:
            return  # a child that was forked has let go of it already
        with held(self._starting):
            self._closed = True
        if self._client is not None:
            self._client.close()
