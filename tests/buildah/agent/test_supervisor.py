"""When what a command has left running is looked at."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

import pytest

from pytest_zlayer.buildah.agent import supervisor
from pytest_zlayer.buildah.agent.orphans import Orphans


def test_it_is_looked_at_before_the_end_of_the_command_is_told_and_some_times_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[object] = []

    class Looks(Orphans):
        def look(self) -> None:
            happened.append("look")

    def tell(_: socket.socket, news: Mapping[str, object]) -> None:
        happened.append(news)

    def wait(_: Collection[int], seconds: float | None) -> set[int]:
        happened.append(seconds)
        return set()

    others = iter([True] * 4 + [False])
    monkeypatch.setattr(supervisor, "_tell", tell)
    monkeypatch.setattr(supervisor, "wait_readable", wait)
    monkeypatch.setattr(supervisor, "_collect", lambda _: next(others))
    monkeypatch.setattr(supervisor, "kill_children", lambda _: 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch = supervisor._Watch(ours, wakeup=-1, main=1, wrapped=False, guard=None)
        watch.orphans = Looks(1)
        supervisor._outlast(watch)
    assert happened == [
        "look", {"remaining": True}, 0.01, "look", 0.04, "look", 0.2, "look", 1.0, "look",
    ]  # fmt: skip
