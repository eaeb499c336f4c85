"""What a RUN needs of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.containers import RunRequest, run
from pytest_zlayer.buildah.commands.isolation import Isolation
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.process.command import Runner
from pytest_zlayer.buildah.storage.info import StorageInfo


def test_network_is_not_left_open_where_it_cannot_be_cut() -> None:
    fields: dict[str, Any] = dict.fromkeys(RunRequest.__dataclass_fields__)
    fields |= {"container": "c", "argv": ["x"], "env": {}, "hidden_env": {}, "volumes": ()}
    fields |= {"tmpfs": (), "network": "none", "user": "", "workdir": ""}
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    storage = StorageInfo(Path("/r"), Path("/rr"), "overlay")
    with pytest.raises(EngineError) as caught:
        run(commander, RunRequest(**fields), Isolation("chroot"), storage, Path("/t"))
    assert str(caught.value) == "isolation chroot cannot cut a RUN off the network here"
