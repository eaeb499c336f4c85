"""Files of a container on their way to this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.image.copy_out import copy_out
from pytest_zlayer.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a container."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where they are copied to."""
    out = tmp_path / "out"
    out.mkdir()
    return out


def take(root: Path, source: str, target: Path) -> Path:
    return copy_out(LocalRootfs(root), source, target, "demo")


def test_a_file_keeps_its_mode(root: Path, out: Path) -> None:
    (root / "a").write_text("a\n")
    (root / "a").chmod(0o750)
    path = take(root, "/a", out / "b")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a\n", 0o750)


def test_nothing_is_written_through_a_link_of_an_earlier_copy(root: Path, out: Path) -> None:
    victim = out.parent / "victim"
    victim.write_text("untouched\n")
    (root / "d").mkdir()
    (root / "d" / "x").symlink_to(victim)
    take(root, "/d", out)
    (root / "d" / "x").unlink()
    (root / "d" / "x").write_text("through\n")
    take(root, "/d", out)
    assert victim.read_text() == "untouched\n"
    assert (out / "d" / "x").read_text() == "through\n"


def test_no_directory_is_entered_through_a_link(root: Path, out: Path) -> None:
    elsewhere = out.parent / "elsewhere"
    elsewhere.mkdir()
    (out / "d").mkdir()
    (out / "d" / "sub").symlink_to(elsewhere)
    (root / "d" / "sub").mkdir(parents=True)
    (root / "d" / "sub" / "f").write_text("f\n")
    with pytest.raises(UsageError, match="sub is a link, and nothing is copied through one"):
        take(root, "/d", out)
    assert list(elsewhere.iterdir()) == []


def test_links_are_copied_as_links(root: Path, out: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "loop").symlink_to(".")
    (root / "d" / "etc").symlink_to("/etc")
    (root / "top").symlink_to("d")
    take(root, "/d", out)
    assert {path.name: os.readlink(path) for path in (out / "d").iterdir()} == {
        "loop": ".",
        "etc": "/etc",
    }
    assert os.readlink(take(root, "/top", out / "t")) == "d"


@pytest.mark.parametrize("source", ["/d", "/d/p"])
def test_what_is_no_file_is_refused_before_anything_is_written(
    root: Path, out: Path, source: str
) -> None:
    (root / "d").mkdir()
    (root / "d" / "a").write_text("a\n")
    os.mkfifo(root / "d" / "p")
    with pytest.raises(UsageError) as caught:
        take(root, source, out)
    assert caught.value.message == (
        "/d/p in demo is a named pipe: only files, directories and links can be copied out"
    )
    assert list(out.iterdir()) == []


def test_links_above_a_file_stay_inside(root: Path, out: Path) -> None:
    (root / "real").mkdir()
    (root / "real" / "f").write_text("f\n")
    (root / "d").symlink_to("/real")
    assert take(root, "/d/f", out).read_text() == "f\n"


@pytest.mark.parametrize("source", ["/nosuch", "nosuch/x", "/f/x"])
def test_what_is_not_there(root: Path, out: Path, source: str) -> None:
    (root / "f").write_text("")
    with pytest.raises(UsageError, match=f"no such file in demo: {source}"):
        take(root, source, out)


def test_a_directory_in_the_way_of_a_file(root: Path, out: Path) -> None:
    (root / "f").write_text("")
    (out / "f").mkdir()
    with pytest.raises(UsageError, match="a directory is in the way"):
        take(root, "/f", out)
