"""Failures that are known without buildah's messages."""

from __future__ import annotations

from pytest_zlayer.buildah.failures import disk_full, disk_maybe_full


def test_full_disk_is_named_once() -> None:
    assert disk_full(["/a", "/b", "/a"]).message == ("the disk is full: no space left in /a and /b")


def test_what_hides_why_a_layer_was_not_written_is_most_likely_a_full_disk() -> None:
    found = disk_maybe_full({"/tmp": 19_000_000, "/store": 78_000_000_000})
    assert found.kind == "environment"
    assert found.message == (
        "buildah could not write a layer, most likely because a disk was full; "
        "free now: 19 MB in /tmp, 78000 MB in /store"
    )
