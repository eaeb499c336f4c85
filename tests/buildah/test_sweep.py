"""Sweeping costs nothing where there is nothing to sweep."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_zlayer.buildah.commands import Commander
from pytest_zlayer.buildah.process import Runner
from pytest_zlayer.buildah.storage import StorageInfo
from pytest_zlayer.buildah.sweep import sweep


@pytest.mark.parametrize("journals", [(), ("own.json",), ("own.json", "note.txt")])
def test_no_process_is_started_for_our_own_journal(
    tmp_path: Path, journals: tuple[str, ...]
) -> None:
    storage = StorageInfo(tmp_path, tmp_path, "overlay")
    storage.sessions.mkdir(parents=True)
    for name in journals:
        (storage.sessions / name).touch()
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    assert sweep(commander, storage) == ()
