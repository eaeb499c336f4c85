"""Entries that cannot be used are misses, and are replaced by the next build."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from pytest_zlayer.builder.remote.blobs import compress
from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.stopping import go_on
from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.remote.conftest import Machines, fetched, problems

TEXT = f"FROM {BUSYBOX}\nCOPY data /data\nRUN cat /data > /copy\n"
OTHER = f"FROM {BUSYBOX}\nRUN echo other > /other\n"
ENTRY = "io.github.pytest-zlayer.entry"
CREATED = "org.opencontainers.image.created"


def blob(place: DirectoryPlace, digest: str) -> Path:
    return place.path / "blobs" / "sha256" / digest.removeprefix("sha256:")


def rewrite(place: DirectoryPlace, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what all manifests say of their entries."""

    def changed(manifest: dict[str, Any]) -> None:
        data = json.loads(manifest["annotations"][ENTRY])
        change(data)
        manifest["annotations"][ENTRY] = json.dumps(data)

    rewrite_manifests(place, changed)


def rewrite_manifests(place: DirectoryPlace, change: Callable[[dict[str, Any]], None]) -> None:
    """Change all manifests."""
    index = json.loads((place.path / "index.json").read_bytes())
    for one in index["manifests"]:
        manifest = json.loads(blob(place, one["digest"]).read_bytes())
        change(manifest)
        data = json.dumps(manifest).encode()
        one["digest"], one["size"] = f"sha256:{sha256(data).hexdigest()}", len(data)
        blob(place, one["digest"]).write_bytes(data)
    (place.path / "index.json").write_text(json.dumps(index))


def flip(place: DirectoryPlace) -> None:
    index = json.loads((place.path / "index.json").read_bytes())
    manifest = json.loads(blob(place, index["manifests"][0]["digest"]).read_bytes())
    for layer in manifest["layers"]:
        path = blob(place, layer["digest"])
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


def lose_layers(place: DirectoryPlace) -> None:
    index = json.loads((place.path / "index.json").read_bytes())
    manifest = json.loads(blob(place, index["manifests"][0]["digest"]).read_bytes())
    for layer in manifest["layers"]:
        blob(place, layer["digest"]).unlink()


def other_sizes(manifest: dict[str, Any]) -> None:
    for layer in manifest["layers"]:
        layer["size"] += 1


def forge(place: DirectoryPlace, *layers: list[tuple[str, bytes, str]]) -> None:
    """Have every key mean an entry that is whole, with these layers: names, types and links."""
    cache = DirectoryCache(place.path)
    scratch = place.path.parent / "forged"
    scratch.mkdir()
    made = []
    for members in layers:
        content = _tar(members)
        (scratch / "layer").write_bytes(content)
        diff_id = f"sha256:{sha256(content).hexdigest()}"
        made.append(compress(scratch / "layer", diff_id, scratch / "blobs" / "sha256", go_on))
    keys = sorted(cache.keys())
    for key in keys:
        found = cache.fetch(key)
        assert found is not None
        entry = replace(
            found.entry,
            layers=tuple(made),
            history=found.entry.history[:1] * len(made),
            keys=dict.fromkeys(found.entry.keys, len(made)),
        )
        cache.send(entry, scratch / "blobs" / "sha256", [key], go_on)


def _tar(members: list[tuple[str, bytes, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info)
    return buffer.getvalue()


CHANGES: dict[str, tuple[Callable[[DirectoryPlace], None], str]] = {
    "flipped byte": (flip, "a layer is"),
    "other base": (
        lambda place: rewrite(place, lambda data: data.update(base=["sha256:" + "0" * 64])),
        "it is built on another base image",
    ),
    "bomb": (
        lambda place: rewrite(place, lambda data: data.update(sizes=[10, 10])),
        "a layer has more than the 10 bytes it declares",
    ),
    "more than any disk": (
        lambda place: rewrite(place, lambda data: data.update(sizes=[10**18] * 2)),
        f"a layer cannot have the {10**18} bytes it declares",
    ),
    "other compressed size": (
        lambda place: rewrite_manifests(place, other_sizes),
        "a layer has",
    ),
    "lost layers": (lose_layers, "a layer cannot be read: No such file or directory"),
    "keys of another kind": (
        lambda place: rewrite(place, lambda data: data["keys"].update({"../../x": 1})),
        "it has keys that are none of this cache",
    ),
    "no time at all": (
        lambda place: rewrite_manifests(place, lambda one: one["annotations"].pop(CREATED)),
        "it is not an entry of this kind",
    ),
    "later version": (
        lambda place: rewrite(place, lambda data: data.update(version=2)),
        "its format is version 2, not 1",
    ),
    "foreign": (
        lambda place: rewrite(place, dict.clear),
        "it is not an entry of this kind",
    ),
    "wrong count": (
        lambda place: rewrite(place, lambda data: data.update(keys=dict.fromkeys(data["keys"], 1))),
        "its keys do not fit its layers",
    ),
    "too many layers": (
        lambda place: forge(place, *([(f"f{one}", tarfile.REGTYPE, "")] for one in range(200))),
        "it has 201 layers, and 127 are the most",
    ),
    "names outside": (
        lambda place: forge(place, [("../../escaped", tarfile.REGTYPE, "")]),
        "a layer has names outside of the image",
    ),
    "link in place of the root": (
        lambda place: forge(place, [(".", tarfile.SYMTYPE, "/")]),
        "a layer replaces the root directory",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_built_and_reported_once(
    machine: Machines, place: DirectoryPlace, tmp_path: Path, change: str
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    writer = machine()
    with writer.session(cache_to=place) as first:
        first.build(TEXT, context)
    damage, reason = CHANGES[change]
    damage(place)
    with writer.session(cache_to=place) as first:
        first.build(OTHER, context)
    with machine().session(cache_from=(place,)) as second:
        assert second.build(TEXT, context).path("/copy").read_text() == "hello\n"
        assert len(second.executed()) == 2
        second.build(OTHER, context)
        assert len(second.executed()) == 2  # other entries of the place are used
    (problem,) = problems(second)
    assert reason in problem


def test_a_layer_that_writes_through_a_link_writes_nothing_on_this_machine(
    machine: Machines, place: DirectoryPlace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    with machine().session(cache_to=place) as first:
        first.build(TEXT, context)
    outside = tmp_path / "outside"
    outside.mkdir()
    forge(place, [("way", tarfile.SYMTYPE, str(outside)), ("way/written", tarfile.REGTYPE, "")])
    with machine().session(cache_from=(place,)) as second:
        second.build(TEXT, context)
    assert fetched(second) or problems(second)
    assert list(outside.iterdir()) == []
