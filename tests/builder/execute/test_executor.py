"""Stages begin and end together, wherever a build is interrupted."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer.builder.execute.executor import Executor
from pytest_zlayer.builder.stopping import Interrupted
from tests.interruptions import interruptions


class OneStage(Executor):
    """A build whose only stage goes on until it is waited for, or told to stop."""

    def __init__(self) -> None:
        self.stop, self.requested, self.running = threading.Event(), False, 0
        engine = SimpleNamespace(interruption=lambda: SimpleNamespace(request=self._request))
        build: Any = SimpleNamespace(engine=engine, stop=self.stop)
        graph: Any = SimpleNamespace(target=0)
        plans: Any = {0: None}
        sources: Any = None
        super().__init__(build, plans, graph, sources)

    def _request(self) -> None:
        self.requested = True

    def _build_stage(self, index: int) -> Any:
        self.running += 1
        try:
            until = time.monotonic() + 90
            while not self._stages[index]._waiting:
                if self.stop.is_set() or time.monotonic() > until:
                    raise Interrupted
                time.sleep(0.001)
            return "stage"
        finally:
            self.running -= 1


def test_no_stage_goes_on_wherever_a_build_is_interrupted() -> None:
    builds: list[OneStage] = []

    def build() -> None:
        assert builds[-1].execute() == "stage"

    builds.append(OneStage())
    for where in interruptions(build):
        done = builds[-1]
        assert not done.running, where
        if "(execute, call)" not in where:
            assert done.stop.is_set() or done._stages[0].is_known, where
        builds.append(OneStage())
    assert not builds[-1].stop.is_set()


def test_what_is_not_asked_for_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    build = OneStage()
    monkeypatch.setattr(build, "_start", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        build.execute()
    assert build.requested
