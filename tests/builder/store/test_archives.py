"""Archives of images that are not as they should be."""

from __future__ import annotations

import importlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.store.archives import unpack_archive
from pytest_zlayer.errors import UsageError
from tests.builder.lying_headers import LYING
from tests.builder.sparse_members import FORMATS, HUGE, sparse_archive

DIFF_ID = "sha256:" + "0" * 64


def archive(path: Path, **files: Any) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, value in files.items():
            content = json.dumps(value).encode()
            info = tarfile.TarInfo(f"{name}.json")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        ("docker-archive", {"manifest": []}, "holds no image"),
        ("docker-archive", {"manifest": {}}, "holds no image"),
        ("docker-archive", {"manifest": 5}, "cannot be read as an archive of an image"),
        ("docker-archive", {"manifest": [5]}, "cannot be read as an archive of an image"),
        ("docker-archive", {"manifest": [{}]}, "cannot be read as an archive of an image"),
        ("docker-archive", {"manifest": [{"Config": "x"}]}, "cannot be read as an archive"),
        ("docker-archive", {}, "it has no manifest.json"),
        ("oci-archive", {}, "it has no index.json"),
        ("oci-archive", {"index": []}, "cannot be read as an archive of an image"),
        ("oci-archive", {"index": {"manifests": [1]}}, "cannot be read as an archive of an image"),
    ],
)
def test_malformed_archive_is_told_in_one_sentence(
    tmp_path: Path, kind: str, files: dict[str, Any], message: str
) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(UsageError, match=message):
        unpack_archive(kind, archive(tmp_path / "a.tar", **files), "", tmp_path / "target")


@pytest.mark.parametrize("part", ["config", "layer"])
def test_names_in_an_archive_lead_nowhere_else(tmp_path: Path, part: str) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps({"rootfs": {"diff_ids": [DIFF_ID]}}), encoding="ascii")
    (tmp_path / "target").mkdir()
    named = {"Config": "config.json", "Layers": ["config.json"]}
    named |= {"Config": str(outside)} if part == "config" else {"Layers": [str(outside)]}
    path = archive(tmp_path / "a.tar", manifest=[named], config={"rootfs": {"diff_ids": [DIFF_ID]}})
    with pytest.raises(UsageError, match="cannot be read as an archive of an image"):
        unpack_archive("docker-archive", path, "", tmp_path / "target")
    assert outside.stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_which_of_several_images_is_meant_has_to_be_said(tmp_path: Path, kind: str) -> None:
    names = ("x/a:1", "x/b:1")
    key = "org.opencontainers.image.ref.name"
    files: dict[str, Any] = {
        "manifest": [{"RepoTags": [name]} for name in names],
        "index": {"manifests": [{"annotations": {key: name}} for name in names]},
    }
    (tmp_path / "target").mkdir()
    path = archive(tmp_path / "a.tar", **files)
    with pytest.raises(UsageError) as caught:
        unpack_archive(kind, path, "", tmp_path / "target")
    assert str(caught.value) == (
        f"{path} holds 2 images\nhint: say which one, {path}:NAME; it holds: x/a:1, x/b:1"
    )


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_file_that_no_disk_holds(tmp_path: Path, kind: str, form: str) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "a.tar").write_bytes(sparse_archive(form))
    with pytest.raises(UsageError, match=f"huge has {HUGE} bytes, and only"):
        unpack_archive(kind, tmp_path / "a.tar", "", tmp_path / "target")
    assert not [path for path in (tmp_path / "target").rglob("*") if path.is_file()]


NAMED = [{"Config": "config.json", "Layers": []}]
LONG = " " * (5 << 20)
NO_DOCUMENT = "has more than 4 MiB: nothing that describes an image does"


@pytest.mark.parametrize(
    ("kind", "files", "name"),
    [
        ("oci-archive", {"index": LONG}, "index.json"),
        ("docker-archive", {"manifest": LONG}, "manifest.json"),
        ("docker-archive", {"manifest": NAMED, "config": LONG}, "config.json"),
    ],
)
def test_a_document_of_any_length_is_not_read(
    tmp_path: Path, kind: str, files: dict[str, Any], name: str
) -> None:
    (tmp_path / "target").mkdir()
    path = archive(tmp_path / "a.tar", **files)
    with pytest.raises(UsageError) as caught:
        unpack_archive(kind, path, "", tmp_path / "target")
    assert str(caught.value) == f"{name} of {path} {NO_DOCUMENT}"


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_a_document_that_is_deeper_than_the_stack(tmp_path: Path, kind: str) -> None:
    name = "index.json" if kind == "oci-archive" else "manifest.json"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(b"[" * info.size))
    (tmp_path / "target").mkdir()
    with pytest.raises(UsageError, match="cannot be read as an archive of an image"):
        unpack_archive(kind, tmp_path / "a.tar", "", tmp_path / "target")


@pytest.mark.parametrize("data", LYING.values(), ids=LYING)
def test_an_archive_whose_headers_lie(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    (tmp_path / "target").mkdir()
    with pytest.raises(UsageError, match="cannot be read as an archive of an image"):
        unpack_archive("oci-archive", tmp_path / "a.tar", "", tmp_path / "target")


def test_what_cannot_be_decompressed_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    path = tmp_path / "image.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd and so on")
    with pytest.raises(UsageError) as caught:
        unpack_archive("oci-archive", path, "", tmp_path / "target")
    assert str(caught.value) == (
        f"{path} cannot be read: zstd compression is not supported by this Python\n"
        "hint: pip install 'pytest-zlayer[zstd]'"
    )
