"""ADD unpacks local archives: recognized by content, into the destination and never out of it."""

from __future__ import annotations

import bz2
import gzip
import importlib
import importlib.util
import io
import lzma
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.copy.archives import Archive
from pytest_zlayer.builder.files.contents import InlineContent
from pytest_zlayer.builder.files.paths import EmptyRootfs
from tests.builder.lying_headers import LYING
from tests.builder.support import NOW, add, at, copy, files, lay, make_tree, paths

EMPTY = EmptyRootfs()
Member = tuple[str, dict[str, Any]]


def tar(*items: tuple[str, object], **defaults: Any) -> bytes:
    """A tar of ``(name, content)``: text for files, ``None`` for directories, or fields."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what in items:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = 1000, 0o644
            content = b""
            if what is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(what, str):
                content = what.encode()
            for field, value in {**defaults, **(what if isinstance(what, dict) else {})}.items():
                setattr(info, field, value)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def link(target: str) -> dict[str, Any]:
    return {"type": tarfile.SYMTYPE, "linkname": target}


def hard(target: str) -> dict[str, Any]:
    return {"type": tarfile.LNKTYPE, "linkname": target}


PLAIN = tar(("d", None), ("d/x", "X"))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "context", ["a.txt"])


def put(context: Path, data: bytes, name: str = "a.bin") -> str:
    (context / name).write_bytes(data)
    return name


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_archive_is_reported_by_its_content(
    context: Path, compress: Callable[[bytes], bytes]
) -> None:
    name = put(context, compress(PLAIN), "no-suffix")
    assert paths(lay(add(name, "/x"), context, EMPTY)) == ["/x/", "/x/d/", "/x/d/x"]


def test_zstd_with_the_package(context: Path) -> None:
    zstandard = importlib.import_module("zstandard")
    name = put(context, zstandard.compress(PLAIN))
    assert paths(lay(add(name, "/x"), context, EMPTY)) == ["/x/", "/x/d/", "/x/d/x"]


def test_zstd_without_the_package(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    name = put(context, b"\x28\xb5\x2f\xfd and so on")
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/x"), context, EMPTY)
    assert str(caught.value) == (
        "cannot unpack a.bin: zstd compression is not supported by this Python\n"
        "hint: pip install 'pytest-zlayer[zstd]'"
    )


def test_an_archive_that_is_cut_off_before_its_first_member(context: Path) -> None:
    name = put(context, gzip.compress(PLAIN)[:20])
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/x"), context, EMPTY)
    assert str(caught.value) == (
        "cannot unpack a.bin: unexpected EOF\n"
        "hint: --unpack=false, or COPY, takes the file as it is"
    )


class Watched(InlineContent):
    """Remembers the files it was opened as."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        object.__setattr__(self, "opened", [])

    def open(self) -> BinaryIO:
        self.opened.append(super().open())
        return self.opened[-1]


def test_an_archive_that_was_closed_gives_its_file_back_and_can_be_read_again() -> None:
    content = Watched(PLAIN)
    archive = Archive(content, "a.tar")
    archive.close()
    for number in (1, 2):
        assert [member.name for member in archive.members()] == ["d", "d/x"]
        archive.close()
        assert [file.closed for file in content.opened] == [True] * number


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"plain text", bytes(10240), b"BZh9"),
        *(b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 30, gzip.compress(b"no tar", mtime=0)),
    ],
)
def test_anything_else_is_copied(context: Path, data: bytes) -> None:
    name = put(context, data)
    layer = lay(add(name, "/x"), context, EMPTY)
    assert (paths(layer), at(layer, "/x").size) == (["/x"], len(data))


def test_name_alone_makes_no_archive(context: Path) -> None:
    name = put(context, b"text", "x.tar.gz")
    assert files(lay(add(name, "/"), context, EMPTY)) == {"/x.tar.gz": "text"}


def test_copy_does_not_unpack(context: Path) -> None:
    name = put(context, PLAIN)
    assert paths(lay(copy(name, "/"), context, EMPTY)) == ["/a.bin"]


def test_unpack_can_be_forbidden(context: Path) -> None:
    name = put(context, PLAIN)
    assert paths(lay(add(name, "/", unpack=False), context, EMPTY)) == ["/a.bin"]


def test_archive_inside_a_directory_is_copied(context: Path) -> None:
    make_tree(context, ["d/"])
    put(context, PLAIN, "d/a.tar")
    assert paths(lay(add("d", "/"), context, EMPTY)) == ["/a.tar"]


def test_archive_among_other_sources(context: Path) -> None:
    name = put(context, PLAIN)
    assert paths(lay(add("a.txt", name, "/x/"), context, EMPTY)) == [
        *("/x/", "/x/a.txt", "/x/d/", "/x/d/x"),
    ]


def test_owners_modes_and_times_are_kept(context: Path) -> None:
    name = put(context, tar(("f", {"uid": 5, "gid": 6, "mode": 0o4711})))
    found = at(lay(add(name, "/"), context, EMPTY), "/f")
    assert (found.uid, found.gid, found.mode, found.mtime_ns) == (5, 6, 0o4711, 1000 * 10**9)


def test_chown_counts_and_chmod_does_not(context: Path) -> None:
    name = put(context, tar(("f", {"uid": 5, "gid": 6, "mode": 0o711})))
    found = at(lay(add(name, "/", chown="7:8", chmod="600"), context, EMPTY), "/f")
    assert (found.uid, found.gid, found.mode) == (7, 8, 0o711)


def test_extended_attributes_are_kept(context: Path) -> None:
    headers = {"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.trusted.x": "no"}
    name = put(context, tar(("f", {"pax_headers": headers})))
    assert at(lay(add(name, "/"), context, EMPTY), "/f").xattrs == {"user.note": b"hello"}


def test_missing_parents_are_made(context: Path) -> None:
    name = put(context, tar(("a/b/f", "F"), uid=5))
    found = at(lay(add(name, "/"), context, EMPTY), "/a/b")
    assert (found.mode, found.uid, found.mtime_ns) == (0o755, 0, NOW * 10**9)


def test_directory_unpacked_into_keeps_its_metadata(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", ["x/"])
    (image / "x").chmod(0o711)
    name = put(context, tar((".", {"type": tarfile.DIRTYPE, "mode": 0o777}), ("f", "F")))
    assert at(lay(add(name, "/x"), context, image), "/x").mode == 0o711


def test_existing_directories_take_the_metadata_of_the_archive(
    context: Path, tmp_path: Path
) -> None:
    image = make_tree(tmp_path / "image", ["x/d/old"])
    name = put(context, tar(("d", {"type": tarfile.DIRTYPE, "mode": 0o1777})))
    layer = lay(add(name, "/x"), context, image)
    assert (at(layer, "/x/d").mode, at(layer, "/x/d").opaque) == (0o1777, False)


def test_file_of_the_archive_replaces_a_directory(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", ["d/old"])
    name = put(context, tar(("d", "now a file")))
    assert files(lay(add(name, "/"), context, image)) == {"/d": "now a file"}


def test_directory_that_replaces_such_a_file_hides_the_first(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", ["d/old"])
    name = put(context, tar(("d", "a file"), ("d", None), ("d/new", "N")))
    layer = lay(add(name, "/"), context, image)
    assert (paths(layer), at(layer, "/d").opaque) == (["/d/", "/d/new"], True)


def test_hard_links_inside_the_archive(context: Path) -> None:
    name = put(context, tar(("z", "Z"), ("a", hard("z"))))
    assert files(lay(add(name, "/"), context, EMPTY)) == {"/a": "Z", "/z": "= /a"}


def test_hard_link_to_a_file_of_the_image_brings_it_along(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", {"x/z": "old"})
    name = put(context, tar(("a", hard("z"))))
    assert files(lay(add(name, "/x"), context, image)) == {"/x/a": "old", "/x/z": "= /x/a"}


def test_hard_link_to_nothing(context: Path) -> None:
    name = put(context, tar(("a", hard("nothing"))))
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/x"), context, EMPTY)
    assert str(caught.value) == "link /x/nothing /x/a: no such file or directory"


# --- damaged archives


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_cut_archive_is_an_error(context: Path, compress: Callable[[bytes], bytes]) -> None:
    whole = compress(tar(("f", "F"), ("g", "".join(map(str, range(3000))))))
    name = put(context, whole[: len(whole) // 2])
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/"), context, EMPTY)
    assert caught.value.message == "cannot unpack a.bin: unexpected EOF"


def test_archive_cut_in_a_header_is_an_error(context: Path) -> None:
    name = put(context, tar(("f", "F"), ("g", "G"))[: 512 + 512 + 100])
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/"), context, EMPTY)
    assert str(caught.value) == "cannot unpack a.bin: unexpected EOF"


def test_damaged_header_in_the_middle_is_an_error(context: Path) -> None:
    data = bytearray(tar(("f", "F"), ("g", "G")))
    data[1024 + 10] ^= 0xFF
    name = put(context, bytes(data))
    with pytest.raises(CopyError) as caught:
        lay(add(name, "/"), context, EMPTY)
    assert str(caught.value) == "cannot unpack a.bin: invalid tar header"


def test_archive_cut_in_a_file_with_holes_is_an_error(context: Path, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 100_000)
    argv = ["tar", "--sparse", "--format=gnu", "-C", str(tmp_path), "-cf", "-", "sparse"]
    whole = subprocess.run(argv, check=True, capture_output=True).stdout
    with pytest.raises(CopyError) as caught:
        lay(add(put(context, whole[:50_000]), "/"), context, EMPTY)
    assert str(caught.value) == "cannot unpack a.bin: unexpected EOF"


@pytest.mark.parametrize("data", LYING.values(), ids=LYING)
def test_archive_whose_headers_lie_is_an_error(context: Path, data: bytes) -> None:
    with pytest.raises(CopyError, match=r"^cannot unpack a\.bin: "):
        lay(add(put(context, tar(("f", "F"))[:1024] + data), "/"), context, EMPTY)


def test_archive_without_end_marker_is_accepted(context: Path) -> None:
    name = put(context, tar(("f", "F"))[:1024])
    assert files(lay(add(name, "/"), context, EMPTY)) == {"/f": "F"}


# --- evil archives


@pytest.mark.parametrize(
    "name", ["/abs", "../../abs", "a/../../abs", "/../abs", "./../abs", "//abs"]
)
def test_names_stay_inside(context: Path, name: str) -> None:
    archive = put(context, tar((name, "evil")))
    assert files(lay(add(archive, "/x/y"), context, EMPTY)) == {"/x/y/abs": "evil"}


@pytest.mark.parametrize("target", ["/", "..", "../../..", "/etc/..", "../../../etc/.."])
def test_links_lead_no_further_than_the_destination(
    context: Path, tmp_path: Path, target: str
) -> None:
    image = make_tree(tmp_path / "image", ["etc/passwd", "x/y/etc/"])
    archive = put(context, tar(("way", link(target)), ("way/evil", "evil")))
    found = files(lay(add(archive, "/x/y"), context, image))
    assert found == {"/x/y/way": f"-> {target}", "/x/y/evil": "evil"}


def test_links_of_the_image_lead_no_further_either(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", {"etc/passwd": "", "x/way": "-> /etc"})
    archive = put(context, tar(("way/passwd", "evil")))
    assert files(lay(add(archive, "/x"), context, image)) == {"/x/etc/passwd": "evil"}


def test_file_replaces_a_link_instead_of_writing_through_it(context: Path) -> None:
    archive = put(context, tar(("way", link("/etc/passwd")), ("way", "evil")))
    assert files(lay(add(archive, "/"), context, EMPTY)) == {"/way": "evil"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd"])
def test_hard_links_reach_no_further(context: Path, tmp_path: Path, target: str) -> None:
    image = make_tree(tmp_path / "image", ["etc/passwd", "x/"])
    archive = put(context, tar(("way", hard(target))))
    with pytest.raises(CopyError) as caught:
        lay(add(archive, "/x"), context, image)
    assert str(caught.value) == "link /x/etc/passwd /x/way: no such file or directory"


def test_names_that_are_no_utf_8_are_kept(context: Path) -> None:
    name = "caf\udce9"
    archive = put(context, tar((name, "x")))
    assert paths(lay(add(archive, "/"), context, EMPTY)) == [f"/{name}"]


def test_hard_link_to_a_link_of_the_image(context: Path, tmp_path: Path) -> None:
    image = make_tree(tmp_path / "image", {"way": "-> /x/y"})
    layer = lay(add(put(context, tar(("a", hard("way")))), "/"), context, image)
    assert files(layer) == {"/a": "-> /x/y", "/way": "= /a"}


def test_hard_link_to_a_socket_of_the_image(
    context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_tree(tmp_path / "i", {})
    monkeypatch.chdir(image)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("listening")
    with pytest.raises(CopyError) as caught:
        lay(add(put(context, tar(("a", hard("listening")))), "/"), context, image)
    assert str(caught.value) == "sockets cannot be stored in an image layer"
