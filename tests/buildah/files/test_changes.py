"""The upper directory of an overlay, read and written without buildah."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.files.unpack import unpack
from pytest_zlayer.buildah.agent.files.upper import scan, upper_of
from pytest_zlayer.builder.files.contents import InlineContent
from pytest_zlayer.builder.oci.layer import LayerEntry, write_layer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


def entry(path: str, kind: str = "file", mode: int = 0o640, **more: object) -> LayerEntry:
    content = InlineContent(b"new") if kind == "file" else None
    facts = {"uid": 12, "gid": 34, "mtime_ns": 10**18, "content": content, **more}
    return LayerEntry(path, kind, mode, **facts)  # type: ignore[arg-type]


def put(root: Path, entries: Iterable[LayerEntry]) -> None:
    blob = write_layer(entries, root.parent)
    unpack(str(root), str(blob.path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


def test_everything_is_seen_parents_first(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").write_text("123")
    (root / "d-e").symlink_to("d/f")
    found = {one[0]: one for one in scan(str(root))}
    assert list(found) == ["/", "/d", "/d/f", "/d-e"]
    assert stat.S_ISREG(found["/d/f"][1])
    assert found["/d/f"][4] == 3
    assert found["/d-e"][9] == "d/f"


def test_attributes_that_layers_carry_are_seen(root: Path) -> None:
    (root / "f").touch()
    os.setxattr(root / "f", "user.colour", b"\xff\x00")
    ((_, *facts),) = [one for one in scan(str(root)) if one[0] == "/f"]
    assert facts[-1] == [["user.colour", "\xff\x00"]]


def test_names_that_are_no_text_are_kept(root: Path) -> None:
    (root / os.fsdecode(b"\xff\n")).touch()
    assert [one[0] for one in scan(str(root))] == ["/", "/" + os.fsdecode(b"\xff\n")]


def test_what_is_no_overlay_has_no_upper_directory(root: Path) -> None:
    (root.parent / "diff").mkdir()
    assert upper_of(str(root)) is None


@needs_root
def test_layer_is_put_on_the_files(root: Path) -> None:
    link = entry("/d/l", "symlink", 0o777, target="f")
    put(root, [entry("/d", "directory", 0o2750), entry("/d/f", mode=0o4755), link])
    folder, file = (root / "d").stat(), (root / "d" / "f").stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid) == (0o2750, 12, 34)
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid) == (0o4755, 12, 34)
    assert folder.st_mtime == file.st_mtime == 10**9
    assert (root / "d" / "f").read_bytes() == b"new"
    assert os.readlink(root / "d" / "l") == "f"
    assert (root / "d" / "l").lstat().st_uid == 12


@needs_root
def test_hard_links_devices_and_attributes_are_put(root: Path) -> None:
    put(
        root,
        [
            entry("/f", xattrs={"user.colour": b"blue"}),
            entry("/g", "hardlink", target="/f"),
            entry("/n", "character", device=(1, 3)),
            entry("/p", "fifo"),
        ],
    )
    assert (root / "f").samefile(root / "g")
    assert os.getxattr(root / "f", "user.colour") == b"blue"
    assert (root / "n").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISFIFO((root / "p").stat().st_mode)


@needs_root
def test_what_is_there_is_replaced_or_merged(root: Path) -> None:
    for name in ("merged", "emptied", "file"):
        (root / name).mkdir()
        (root / name / "old").touch()
    (root / "folder").touch()
    put(
        root,
        [
            entry("/emptied", "directory", 0o755, opaque=True),
            entry("/emptied/f"),
            entry("/file"),
            entry("/folder", "directory", 0o755),
            entry("/merged", "directory", 0o700),
            entry("/merged/f"),
        ],
    )
    assert sorted(os.listdir(root / "merged")) == ["f", "old"]
    assert os.listdir(root / "emptied") == ["f"]
    assert (root / "file").read_bytes() == b"new"
    assert os.listdir(root / "folder") == []


@needs_root
def test_link_on_the_way_leads_nowhere(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "d").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        put(root, [entry("/d/f")])
    assert os.listdir(outside) == []


@needs_root
def test_link_at_the_end_is_replaced_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.write_text("old")
    (root / "f").symlink_to(outside)
    put(root, [entry("/f")])
    assert outside.read_text() == "old"
    assert (root / "f").read_bytes() == b"new"
