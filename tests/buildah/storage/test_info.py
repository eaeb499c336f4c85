"""Where things are kept."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_zlayer.buildah.storage.info import StorageInfo, parse_info

STORAGE = StorageInfo(Path("/r"), Path("/rr"), "overlay")


def test_storage_that_buildah_tells_of() -> None:
    store = {"GraphRoot": "/r", "RunRoot": "/rr", "GraphDriverName": "overlay"}
    assert parse_info(json.dumps({"host": {}, "store": store})) == STORAGE


def test_driver_is_pinned() -> None:
    assert STORAGE.options.words() == [
        "--root", "/r", "--runroot", "/rr", "--storage-driver", "overlay",
    ]  # fmt: skip


def test_our_own_directory_lies_in_the_storage() -> None:
    assert STORAGE.sessions == Path("/r/zlayer/sessions")
    assert STORAGE.container_file("1") == Path("/r/overlay-containers/1/userdata")
