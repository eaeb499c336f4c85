"""Mount points that a RUN needs: which are missing, and links that would lead out of the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.execute.mount_points import existing_parents, missing, refuse_links
from pytest_zlayer.errors import UsageError
from tests.builder.support import make_tree


@pytest.fixture
def image(tmp_path: Path) -> LocalRootfs:
    make_tree(tmp_path, ["etc/hosts", "run/", "work/src/"])
    (tmp_path / "way").symlink_to("work")
    (tmp_path / "loop").symlink_to("loop")
    return LocalRootfs(tmp_path)


def test_what_is_not_there_is_missing_with_its_parents_the_deepest_first(
    image: LocalRootfs,
) -> None:
    found = missing(image, ["/etc/hosts", "/work/src", "/a/b/c", "/a/b/d"])
    assert sorted(found[:2]) == ["/a/b/c", "/a/b/d"]
    assert found[2:] == ("/a/b", "/a")
    assert missing(image, ["/", "/etc"]) == ()


def test_links_are_followed_inside_the_image(image: LocalRootfs) -> None:
    assert missing(image, ["/way/cache/c"]) == ("/work/cache/c", "/work/cache")


@pytest.mark.parametrize("target", ["/loop/x", "/etc/hosts/x"])
def test_what_cannot_be_reached_is_left_to_the_engine(image: LocalRootfs, target: str) -> None:
    assert missing(image, [target]) == ()


def test_directories_that_get_mount_points_are_those_that_are_there(image: LocalRootfs) -> None:
    found = existing_parents(image, ["/work/cache", "/work/cache/c", "/run/secrets", "/a/b"])
    assert {path: entry.kind for path, entry in found.items()} == {
        "/work": "directory",
        "/run": "directory",
    }


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys"])
def test_a_link_in_place_of_a_directory_of_the_engine_is_refused(tmp_path: Path, name: str) -> None:
    refuse_links(LocalRootfs(tmp_path))
    (tmp_path / name).symlink_to("/somewhere")
    with pytest.raises(UsageError) as caught:
        refuse_links(LocalRootfs(tmp_path))
    assert (caught.value.message, caught.value.hint) == (
        f"/{name} is a link in this image: nothing can be run in it safely",
        "make it a directory",
    )


def test_directories_and_other_links_are_fine(image: LocalRootfs) -> None:
    refuse_links(image)
