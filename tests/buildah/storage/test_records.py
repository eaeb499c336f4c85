"""What buildah prints about images and containers, as values."""

from __future__ import annotations

import json

import pytest

from pytest_zlayer.buildah.storage.records import (
    ContainerSummary,
    ImageSummary,
    parse_containers,
    parse_image,
    parse_images,
)

A, B = "a" * 64, "b" * 64


def test_images() -> None:
    output = json.dumps(
        [
            {"id": f"sha256:{A}", "names": ["localhost/a:1"], "size": "2.13 MB", "created": 7},
            {"id": f"sha256:{B}", "names": None, "size": "572 B", "created": 0},
        ]
    )
    assert parse_images(output) == (
        ImageSummary(A, ("localhost/a:1",), 2_130_000, 7.0),
        ImageSummary(B, (), 572, 0.0),
    )


def test_image_listed_twice_is_one_image() -> None:
    listed = [{"id": A, "names": ["a:1"]}, {"id": A, "names": ["a:1", "a:2"]}]
    assert [image.names for image in parse_images(json.dumps(listed))] == [("a:1", "a:2")]


@pytest.mark.parametrize("output", ["", "null", "[]", "null\n"])
def test_nothing_listed(output: str) -> None:
    assert parse_images(output) == ()
    assert parse_containers(output) == ()


@pytest.mark.parametrize(
    ("size", "number"), [("0 B", 0), ("1.5 kB", 1500), ("2 GB", 2 * 10**9), ("much", 0)]
)
def test_sizes(size: str, number: int) -> None:
    assert parse_images(json.dumps([{"id": A, "size": size}]))[0].size == number


def test_containers() -> None:
    listed = [{"id": A, "builder": True, "imageid": B, "imagename": "x", "containername": "c"}]
    assert parse_containers(json.dumps(listed)) == (ContainerSummary(A, "c", B),)


def test_image() -> None:
    record = parse_image(
        json.dumps(
            {
                "FromImage": "localhost/a:1",
                "FromImageID": A,
                "FromImageDigest": "sha256:1",
                "Config": '{"config": {"Cmd": ["x"]}}',
                "Manifest": '{"layers": []}',
            }
        )
    )
    assert (record.id, record.digest, record.names) == (A, "sha256:1", ("localhost/a:1",))
    assert record.config == {"config": {"Cmd": ["x"]}}
    assert record.manifest == {"layers": []}
