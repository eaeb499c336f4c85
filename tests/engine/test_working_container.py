"""The container in which a stage is built: how often it is looked at, and how long it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.files.changes import AgentChanges, LocalChanges
from pytest_zlayer.builder.execute import stage_files
from tests.engine.building import building, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.waiting import wait_until


@pytest.mark.parametrize(
    "steps",
    ["COPY file /\nRUN true\n", "RUN tr 0 1 < /dev/zero | head -c 200000 > /big\n"],
    ids=["copied", "made"],
)
def test_container_that_holds_much_is_not_kept_for_readers(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: str
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    context = write_files(tmp_path / "context", {"file": "1" * 200_000})
    monkeypatch.setattr(stage_files, "_LITTLE", 100_000)
    with building(own_storage) as builds:
        builds.build(f"FROM {BUSYBOX}\n{steps}", context)
        wait_until(lambda: not builds.session.engine.containers(), "the container is removed")


def noting(looks: list[object], scan: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def noted(changes: Any) -> Any:
        looks.append(changes)
        return scan(changes)

    return noted


def test_container_is_looked_at_once_between_two_commands(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    looks: list[object] = []
    for kind in (LocalChanges, AgentChanges):
        monkeypatch.setattr(kind, "scan", noting(looks, kind.scan))
    with building(own_storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nRUN echo 1 > /one\nRUN echo 2 > /two\n")
        assert image.path("/two").read_text() == "2\n"
    assert len(looks) == 3  # before the first, and after each of them
