"""A session as handlers of signals use it."""

from __future__ import annotations

import threading

import pytest

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.session.build_session import BuildSession
from pytest_zlayer.builder.session.prebuild import Prebuild


def test_interrupt_waits_for_no_lock_of_what_a_signal_has_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it needs, this thread may hold, and gives back only when the handler has ended."""
    held, ended = threading.Lock(), threading.Event()
    found: list[bool] = []

    def stop(_: Prebuild) -> None:
        found.append(held.acquire(timeout=60))
        ended.set()

    session = BuildSession(BuildOptions())
    with monkeypatch.context() as patch:
        patch.setattr(Prebuild, "stop", stop)
        with held:
            session.interrupt()
        assert ended.wait(90)
    assert found == [True]
    session.close()
