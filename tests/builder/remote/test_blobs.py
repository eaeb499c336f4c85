"""Layers as gzip blobs: the same everywhere, and never more than they declare."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_zlayer.builder.remote.blobs import compress, decompress
from pytest_zlayer.builder.remote.entry import EntryError, EntryLayer
from tests.builder.lying_headers import LYING
from tests.builder.sparse_members import FORMATS, HUGE, sparse_archive


def nothing() -> None:
    pass


def tar(*members: tuple[str, bytes, str]) -> bytes:
    """An archive of (name, type, link) members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info)
    return buffer.getvalue()


PLAIN = tar(
    ("a/b", tarfile.REGTYPE, ""), ("l", tarfile.SYMTYPE, "/etc"), ("./", tarfile.DIRTYPE, "")
)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sent(tmp_path: Path, data: bytes) -> EntryLayer:
    (tmp_path / "layer").write_bytes(data)
    return compress(tmp_path / "layer", digest(data), tmp_path / "blobs", nothing)


def fetched(tmp_path: Path, layer: EntryLayer) -> bytes:
    decompress(layer, tmp_path / "blobs" / layer.digest[7:], tmp_path / "back", nothing)
    return (tmp_path / "back").read_bytes()


def test_a_layer_comes_back(tmp_path: Path) -> None:
    assert fetched(tmp_path, sent(tmp_path, PLAIN)) == PLAIN


def test_the_blob_is_named_after_its_digest_and_nothing_else_is_left(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    (blob,) = (tmp_path / "blobs").iterdir()
    assert blob.name == layer.digest[7:] == digest(blob.read_bytes())[7:]
    assert layer.compressed == blob.stat().st_size


def test_compressing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert sent(tmp_path, PLAIN) == sent(tmp_path, PLAIN)


def test_the_stream_holds_no_time_and_no_name(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    head = (tmp_path / "blobs" / layer.digest[7:]).read_bytes()[:10]
    assert head[3] == 0
    assert head[4:8] == bytes(4)


@pytest.mark.parametrize("more", [1, 5_000_000])
def test_more_bytes_than_declared_are_not_written(tmp_path: Path, more: int) -> None:
    layer = sent(tmp_path, PLAIN + bytes(more))
    declared = replace(layer, size=len(PLAIN))
    with pytest.raises(EntryError, match=f"more than the {len(PLAIN)} bytes"):
        fetched(tmp_path, declared)
    assert (tmp_path / "back").stat().st_size <= len(PLAIN)


def test_what_no_disk_can_hold_is_refused_before_it_is_written(tmp_path: Path) -> None:
    size = shutil.disk_usage(tmp_path).total * 2
    layer = replace(sent(tmp_path, PLAIN), size=size, compressed=size // 1000)
    os.truncate(tmp_path / "blobs" / layer.digest[7:], layer.compressed)
    with pytest.raises(OSError, match="are free"):
        fetched(tmp_path, layer)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_file_of_a_layer_is_refused(tmp_path: Path, form: str) -> None:
    layer = sent(tmp_path, sparse_archive(form))
    with pytest.raises(EntryError, match=f"a layer has a sparse file of {HUGE} bytes"):
        fetched(tmp_path, layer)


def test_what_no_blob_of_its_size_can_hold_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    with pytest.raises(EntryError, match=f"cannot have the {10**18} bytes it declares"):
        fetched(tmp_path, replace(layer, size=10**18))
    assert not (tmp_path / "back").exists()


def test_a_blob_of_another_size_is_refused(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    with pytest.raises(EntryError, match=f"has {layer.compressed} compressed bytes"):
        fetched(tmp_path, replace(layer, compressed=layer.compressed + 1))


def test_a_blob_that_is_not_there_is_the_fault_of_the_entry(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    (tmp_path / "blobs" / layer.digest[7:]).unlink()
    with pytest.raises(EntryError, match="cannot be read"):
        fetched(tmp_path, layer)
    assert not (tmp_path / "back").exists()


def test_a_layer_that_is_another_one_is_refused(tmp_path: Path) -> None:
    layer = replace(sent(tmp_path, PLAIN), diff_id="sha256:" + "0" * 64)
    with pytest.raises(EntryError, match="not what its digest says"):
        fetched(tmp_path, layer)


@pytest.mark.parametrize("cut", [0, 10, -9, -1])
def test_a_blob_that_ends_early_is_refused(tmp_path: Path, cut: int) -> None:
    layer = sent(tmp_path, PLAIN)
    blob = tmp_path / "blobs" / layer.digest[7:]
    blob.write_bytes(blob.read_bytes()[:cut])
    with pytest.raises(EntryError):
        fetched(tmp_path, layer)


def test_a_flipped_bit_never_changes_what_comes_out(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    blob = tmp_path / "blobs" / layer.digest[7:]
    good, refused = blob.read_bytes(), 0
    for place in range(len(good)):
        blob.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        try:
            assert fetched(tmp_path, layer) == PLAIN
        except EntryError:
            refused += 1
    assert refused > len(good) / 2


@pytest.mark.parametrize(
    "member",
    [
        ("../x", tarfile.REGTYPE, ""),
        ("a/../../x", tarfile.REGTYPE, ""),
        ("h", tarfile.LNKTYPE, "../../etc/passwd"),
        (".", tarfile.SYMTYPE, "/etc"),
        (".", tarfile.REGTYPE, ""),
    ],
)
def test_names_that_leave_the_image_are_refused(
    tmp_path: Path, member: tuple[str, bytes, str]
) -> None:
    with pytest.raises(EntryError, match="layer"):
        fetched(tmp_path, sent(tmp_path, tar(member)))


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="not a tar"):
        fetched(tmp_path, sent(tmp_path, b"hello " * 1000))


@pytest.mark.parametrize("data", LYING.values(), ids=LYING)
def test_a_layer_whose_headers_lie_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EntryError, match="not a tar"):
        fetched(tmp_path, sent(tmp_path, data))


def test_the_check_ends_compressing_and_unpacking(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(tmp_path / "layer", layer.diff_id, tmp_path / "other", stop)
    with pytest.raises(KeyboardInterrupt):
        decompress(layer, tmp_path / "blobs" / layer.digest[7:], tmp_path / "back", stop)


def test_other_tools_read_the_blob(tmp_path: Path) -> None:
    layer = sent(tmp_path, PLAIN)
    assert gzip.decompress((tmp_path / "blobs" / layer.digest[7:]).read_bytes()) == PLAIN
