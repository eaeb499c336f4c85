"""The lock under which images get and lose names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_zlayer.buildah.agent import ownlocks
from pytest_zlayer.buildah.agent.ownlocks import names_locked
from pytest_zlayer.buildah.agent.records import StorageOptions


def options(root: Path) -> StorageOptions:
    return StorageOptions(str(root), "/run", "overlay")


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long others would wait meanwhile; they give up soon."""
    (tmp_path / "zlayer").mkdir()
    waited: list[float] = []
    monkeypatch.setattr(ownlocks, "_PATIENCE", 0.05)
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(ownlocks, "time", clock)
    return waited


def test_second_one_waits_and_goes_on_in_the_end(tmp_path: Path, held: list[float]) -> None:
    with names_locked(options(tmp_path)), names_locked(options(tmp_path)):
        assert held


def test_lock_is_free_afterwards(tmp_path: Path, held: list[float]) -> None:
    for _ in range(2):
        with names_locked(options(tmp_path)):
            assert held == []


@pytest.mark.parametrize("named", [True, False])
def test_storage_that_cannot_be_locked_stops_nothing(tmp_path: Path, named: bool) -> None:
    with names_locked(options(tmp_path / "absent") if named else None):
        assert list(tmp_path.iterdir()) == []
