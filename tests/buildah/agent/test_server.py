"""The agent and a command that is to end before its supervisor listens."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_zlayer.buildah.agent import server
from pytest_zlayer.buildah.agent.server import Server
from pytest_zlayer.buildah.agent.wire import Message, receive, send

# Seconds that only an answer that never comes takes.
_PATIENCE = 90.0

SPAWN: Message = {
    "op": "spawn", "argv": ["sleep", "600"], "env": {"PATH": os.environ["PATH"]}, "cwd": None,
    "wrapped": False, "relayed": False, "lasting": False, "reporting": False, "announced": False,
}  # fmt: skip


class Agent:
    """An agent in a forked process, in which functions are what a test has made of them."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_PATIENCE)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._control.close()
                Server(theirs).serve()
            finally:
                os._exit(0)
        theirs.close()

    def ask(self, message: Message, descriptors: list[int]) -> Any:
        send(self._control, message, descriptors)
        received = receive(self._control)
        assert received is not None
        return received[0]["value"]

    def close(self) -> None:
        self._control.close()
        os.waitpid(self._pid, 0)


@pytest.fixture
def begin() -> Iterator[Callable[[], Agent]]:
    begun: list[Agent] = []

    def begin() -> Agent:
        begun.append(Agent())
        return begun[-1]

    yield begin
    for agent in begun:
        agent.close()


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Server, "_become_supervisor"), (server, "supervise")],
    ids=["at once", "after it has closed what is not its own"],
)
def test_supervisor_that_is_asked_to_end_before_it_listens_ends_its_command(
    begin: Callable[[], Agent], monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    go_on = getattr(owner, name)

    def after_a_signal(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return go_on(*arguments)

    monkeypatch.setattr(owner, name, after_a_signal)
    agent = begin()
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE)
    with ours, open(os.devnull, "rb+") as null:
        with theirs:
            agent.ask(SPAWN, [*[null.fileno()] * 3, theirs.fileno()])
        with ours.makefile("rb") as news:
            assert json.loads(news.readline())["status"] == signal.SIGTERM
    # The signal was not taken for one to the agent.
    assert agent.ask({"op": "lstat", "root": "/", "path": "/"}, []) is not None
