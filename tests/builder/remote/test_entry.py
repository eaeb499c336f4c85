"""Entries of cache places as the blobs that carry them, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_zlayer.builder.oci.chain import HistoryEntry
from pytest_zlayer.builder.remote.entry import Entry, EntryError, EntryLayer, read_entry

BASE = ("sha256:" + "b" * 64,)


def layer(mark: str) -> EntryLayer:
    return EntryLayer("sha256:" + mark * 64, 100, "sha256:" + mark * 63 + "0", 50)


ENTRY = Entry(
    base=BASE,
    keys={"1" * 64: 1, "2" * 64: 2},
    layers=(layer("c"), layer("d")),
    history=(HistoryEntry("RUN a", "2026-01-01T00:00:00Z"), HistoryEntry("RUN b")),
    created=1_700_000_000.0,
    platform=("amd64", "linux", ""),
)


def again(entry: Entry, *, manifest: dict[str, Any] | None = None) -> Entry:
    return read_entry(
        {**json.loads(entry.manifest()), **(manifest or {})}, json.loads(entry.config())
    )


def annotated(**changes: Any) -> dict[str, Any]:
    found = json.loads(ENTRY.manifest())["annotations"]
    reported = {**json.loads(found["io.github.pytest-zlayer.entry"]), **changes}
    return {"annotations": {**found, "io.github.pytest-zlayer.entry": json.dumps(reported)}}


def dated(created: str) -> dict[str, Any]:
    found = json.loads(ENTRY.manifest())["annotations"]
    return {"annotations": {**found, "org.opencontainers.image.created": created}}


def test_an_entry_comes_back_from_its_blobs() -> None:
    assert again(ENTRY) == ENTRY


def test_the_blobs_are_those_of_an_oci_image() -> None:
    manifest, config = json.loads(ENTRY.manifest()), json.loads(ENTRY.config())
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert {one["mediaType"] for one in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert config["rootfs"]["diff_ids"] == [one.diff_id for one in ENTRY.layers]
    assert config["history"][0]["created"] == "2026-01-01T00:00:00Z"
    assert manifest["annotations"]["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"


def test_the_top_key_is_that_of_all_layers() -> None:
    assert ENTRY.top == "2" * 64


def test_blobs_that_are_equal_are_fetched_once() -> None:
    assert replace(ENTRY, layers=(layer("c"), layer("c"))).compressed == 50


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (annotated(version=2), "its format is version 2, not 1"),
        (annotated(keys={}), "its keys do not fit its layers"),
        (annotated(keys={"1" * 64: 3}), "its keys do not fit its layers"),
        (annotated(keys={"1" * 64: 0, "2" * 64: 2}), "its keys do not fit its layers"),
        (annotated(sizes=[1]), "it is not an entry of this kind"),
        (annotated(sizes=[1, -1]), "a layer has a negative size"),
        (annotated(keys=[]), "it is not an entry of this kind"),
        (annotated(sizes=[1, float("inf")]), "it is not an entry of this kind"),
        (annotated(keys={"../x": 2}), "it has keys that are none of this cache"),
        (dated("0001-01-01T00:00:00"), "it is not an entry of this kind"),
        (annotated(base=["x"] * 126), "it has 128 layers, and 127 are the most"),
        ({"annotations": {}}, "it is not an entry of this kind"),
        ({"annotations": None}, "it is not an entry of this kind"),
        ({"layers": []}, "it is not an entry of this kind"),
        (
            {"layers": [{"mediaType": "x", "digest": "", "size": 1}] * 2},
            "a layer is of the type 'x'",
        ),
    ],
)
def test_what_is_no_usable_entry_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(EntryError, match=f"^{reason}$"):
        again(ENTRY, manifest=changed)


def test_digests_that_could_be_paths_are_refused() -> None:
    bad = replace(ENTRY, layers=(layer("c"), replace(layer("d"), digest="sha256:../../etc/passwd")))
    with pytest.raises(EntryError, match="no sha256 digest"):
        again(bad)


def test_a_history_of_another_length_is_refused() -> None:
    with pytest.raises(EntryError, match="history"):
        again(replace(ENTRY, history=ENTRY.history[:1]))
