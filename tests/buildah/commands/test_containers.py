"""What a RUN needs of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.containers import run
from pytest_zlayer.buildah.commands.isolation_kinds import Isolation
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.storage.info import StorageInfo


def test_network_is_not_left_open_where_it_cannot_be_cut() -> None:
    request = RunRequest("c", ["x"], network="none")
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    storage = StorageInfo(Path("/r"), Path("/rr"), "overlay")
    with pytest.raises(EngineError) as caught:
        run(commander, request, Isolation("chroot"), storage, Path("/t"), own_file=None)
    assert str(caught.value) == "isolation chroot cannot cut a RUN off the network here"
