"""Images in directories that the disk has no room for, and those that are not as they should be."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.store.image_directory import REF_NAME, refuse_without_room
from pytest_zlayer.errors import UsageError
from tests.builder.sparse_members import FORMATS, HUGE, sparse_archive

KINDS = ("oci", "dir")
NO_ROOM = f"it cannot be unpacked: huge has {HUGE} bytes, and only"


class Folder:
    """An image directory to which blobs and documents are written."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.path = path
        self.blobs = path / "blobs" / "sha256" if kind == "oci" else path
        self.blobs.mkdir(parents=True, exist_ok=True)

    def blob(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def manifest(self, *layers: bytes, **others: Any) -> dict[str, Any]:
        return {"config": self.blob(b"{}"), "layers": [self.blob(one) for one in layers], **others}

    def listed(self, document: dict[str, Any]) -> dict[str, Any]:
        """The descriptor of a manifest that is named by a list."""
        found = self.blob(json.dumps(document).encode())
        if self.kind == "dir":
            blob = self.blobs / found["digest"][7:]
            blob.rename(blob.with_name(f"{blob.name}.manifest.json"))
        return found

    def write(self, document: dict[str, Any], **index: Any) -> str:
        """The directory has this image, or this list; what it is called."""
        if self.kind == "dir":
            (self.path / "manifest.json").write_text(json.dumps(document))
        else:
            index = index or {"manifests": [self.listed(document)]}
            (self.path / "index.json").write_text(json.dumps(index))
        return f"{self.kind}:{self.path}"


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(request.param, tmp_path)


def refuse(source: str, **options: Any) -> None:
    refuse_without_room(source, "it", Path("/"), **options)


def small() -> bytes:
    """A layer with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    return buffer.getvalue()


def declared(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A layer whose only member says that it has so many bytes; none of them is there."""
    info = tarfile.TarInfo("huge")
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_sparse_file_that_no_disk_holds(
    folder: Folder, form: str, pack: Callable[[bytes], bytes]
) -> None:
    source = folder.write(folder.manifest(small(), pack(sparse_archive(form))))
    with pytest.raises(UsageError, match=NO_ROOM) as caught:
        refuse(source)
    assert caught.value.hint == "free some space there, or use a storage on a larger disk"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"Z"], ids=["file", "unknown"])
def test_a_file_that_says_it_is_larger_than_the_disk(folder: Folder, kind: bytes) -> None:
    source = folder.write(folder.manifest(declared(HUGE, kind)))
    with pytest.raises(UsageError, match=NO_ROOM):
        refuse(source)


def test_files_that_only_together_are_larger_than_the_disk(folder: Folder) -> None:
    status = os.statvfs("/")
    size = status.f_bavail * status.f_frsize * 3 // 5
    buffer = b"".join(sparse_file(f"half-{number}", size) for number in range(2))
    source = folder.write(folder.manifest(buffer + bytes(1024)))
    with pytest.raises(UsageError, match=f"unpacked: its content has {2 * size} bytes, and only"):
        refuse(source)


def sparse_file(name: str, size: int) -> bytes:
    """A sparse file without data."""
    info = tarfile.TarInfo(name)
    keys = {"size": size, "numblocks": 1, "map": f"{size},0", "name": name}
    info.pax_headers = {f"GNU.sparse.{key}": str(value) for key, value in keys.items()}
    return info.tobuf(tarfile.PAX_FORMAT)


def test_what_the_engine_has_is_not_looked_at(folder: Folder) -> None:
    manifest = folder.manifest(sparse_archive("gnu"))
    refuse(folder.write(manifest), known={manifest["layers"][0]["digest"]})


def test_images_of_a_list_are_looked_at(folder: Folder) -> None:
    one, other = folder.manifest(small()), folder.manifest(sparse_archive("gnu"))
    source = folder.write({"manifests": [folder.listed(one), folder.listed(other)]})
    with pytest.raises(UsageError, match=NO_ROOM):
        refuse(source)


def test_a_list_that_leads_to_itself_ends(folder: Folder) -> None:
    name = "ab" * 32
    circle = {"manifests": [{"digest": f"sha256:{name}"}]}
    ending = ".manifest.json" if folder.kind == "dir" else ""
    (folder.blobs / f"{name}{ending}").write_text(json.dumps(circle))
    refuse(folder.write(circle, **circle))


def test_only_the_image_that_is_meant_is_looked_at(tmp_path: Path) -> None:
    folder = Folder("oci", tmp_path)
    manifests = [folder.listed(folder.manifest(one)) for one in (small(), sparse_archive("gnu"))]
    for name, manifest in zip(("good", "bad"), manifests, strict=True):
        manifest["annotations"] = {REF_NAME: name}
    source = folder.write({}, manifests=manifests)
    refuse(f"{source}:good")
    for meant in (f"{source}:bad", source):
        with pytest.raises(UsageError, match=NO_ROOM):
            refuse(meant)


def test_a_document_of_any_length_is_not_read(folder: Folder) -> None:
    source = folder.write(folder.manifest(small()))
    name = "index.json" if folder.kind == "oci" else "manifest.json"
    os.truncate(folder.path / name, HUGE // 1000)
    with pytest.raises(UsageError) as caught:
        refuse(source)
    assert str(caught.value) == (
        f"{folder.path}/{name} has more than 4 MiB: nothing that describes an image does"
    )


def test_a_configuration_of_any_length_is_not_read(folder: Folder) -> None:
    manifest = folder.manifest(small())
    config = folder.blobs / manifest["config"]["digest"][7:]
    os.truncate(config, HUGE // 1000)
    with pytest.raises(UsageError, match=f"{config} has more than 4 MiB"):
        refuse(folder.write(manifest))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"[" * 100_000, b'{"layers": 5}', b'{"manifests": [5, {"digest": 5}]}',
     b'{"layers": [{"digest": "sha256:../../etc/passwd"}], "config": {"digest": "x"}}',
     b'{"manifests": [{"digest": "sha256:00", "annotations": 5}], "config": []}'],
    ids=lambda content: content[:30].decode(),
)  # fmt: skip
def test_a_document_of_another_shape_is_left_to_the_engine(folder: Folder, content: bytes) -> None:
    source = folder.write({})
    name = "index.json" if folder.kind == "oci" else "manifest.json"
    (folder.path / name).write_bytes(content)
    refuse(source)


@pytest.mark.parametrize(
    "content",
    [b"", b"no tar", gzip.compress(small())[:-9], small()[:700]],
    ids=["empty", "no tar", "gzip cut off", "tar cut off"],
)
def test_a_damaged_layer_is_left_to_the_engine(folder: Folder, content: bytes) -> None:
    refuse(folder.write(folder.manifest(content)))


def test_what_is_no_file_is_left_to_the_engine(folder: Folder) -> None:
    manifest = folder.manifest(small(), b"other")
    first, second = (folder.blobs / one["digest"][7:] for one in manifest["layers"])
    first.unlink()
    second.unlink()
    os.mkfifo(second)  # opening it would not end
    refuse(folder.write(manifest))


def test_it_stops_when_it_is_to(folder: Folder) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refuse(folder.write(folder.manifest(small())), check=stop)
