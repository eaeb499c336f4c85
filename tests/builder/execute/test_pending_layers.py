"""Layers that could not reach the store in the background are left to their stage."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.execute import pending_layers
from pytest_zlayer.builder.execute.pending_layers import Head, PendingLayer, PendingLayers
from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.stopping import Interrupted
from tests.waiting import PATIENCE


class Failing(PendingLayers):
    """Layers of which one waits, and which cannot be brought into the store."""

    def __init__(self, error: Exception) -> None:
        build: Any = SimpleNamespace(plan=SimpleNamespace(spec=SimpleNamespace(no_cache=False)))
        step: Any = SimpleNamespace(key="key")
        plan: Any = None
        pending = PendingLayer(step, Layer("sha256:1", 1, Path("blob")), "", ())
        super().__init__(build, Head(pending=(pending,)), plan)
        self._error, self.tried = error, 0

    def flush(self) -> None:
        self.tried += 1
        raise self._error


@pytest.mark.parametrize(
    "error",
    [EngineError(Failure("crash", "buildah was killed")), Interrupted(), OSError()],
    ids=lambda error: type(error).__name__,
)
def test_a_layer_that_is_not_stored_in_passing_goes_on_waiting(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(pending_layers, "_GATHERING", PATIENCE)
    lock = ExitStack()
    layers = Failing(error)
    layers.hold("key", lock)
    layers.flush_soon()
    timer = layers._timer
    assert timer is not None
    timer.function()  # what it does when it is over
    layers.stop_timer()
    assert layers.tried == 1
    assert len(layers.pending) == 1
    assert layers._held == {"key": lock}
