"""Build contexts: directories, archives, none; their Dockerfile and ignore file."""

from __future__ import annotations

import gzip
import os
import socket
import tarfile
from pathlib import Path

import pytest

from pytest_zlayer.build.context import (
    DirectoryContext,
    EmptyContext,
    TarContext,
    find_dockerfile,
    open_context,
)
from pytest_zlayer.build.context_tree import ContextRootfs
from pytest_zlayer.build.copying import CopyError
from pytest_zlayer.build.trees import EmptyRootfs, scan
from pytest_zlayer.errors import UsageError
from tests.build.support import am_root, at, copy, files, lay, make_tree, paths

EMPTY = EmptyRootfs()


# --- ignore files


def ignored(context: DirectoryContext, path: str) -> bool:
    return context.ignore is not None and context.ignore.excludes(path)


def test_directory_without_ignore_file(tmp_path: Path) -> None:
    assert DirectoryContext(tmp_path).ignore is None


def test_ignore_file_of_the_context(tmp_path: Path) -> None:
    make_tree(tmp_path, {".dockerignore": "*.log\n"})
    assert ignored(DirectoryContext(tmp_path), "a.log")


def test_ignore_file_of_the_dockerfile_replaces_that_of_the_context(tmp_path: Path) -> None:
    make_tree(
        tmp_path, {".dockerignore": "*.log\n", "docker/dev.Dockerfile.dockerignore": "*.tmp\n"}
    )
    context = DirectoryContext(tmp_path, "docker/dev.Dockerfile")
    assert (ignored(context, "a.log"), ignored(context, "a.tmp")) == (False, True)


@pytest.mark.parametrize("name", ["Dockerfile", "Containerfile"])
def test_ignore_file_of_the_default_dockerfile(tmp_path: Path, name: str) -> None:
    make_tree(tmp_path, {name: "FROM x", f"{name}.dockerignore": "*.tmp\n"})
    assert ignored(DirectoryContext(tmp_path), "a.tmp")


def test_malformed_ignore_file(tmp_path: Path) -> None:
    make_tree(tmp_path, {".dockerignore": "!\n"})
    with pytest.raises(UsageError) as caught:
        DirectoryContext(tmp_path)
    assert str(caught.value) == f'{tmp_path}/.dockerignore: illegal exclusion pattern: "!"'


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        DirectoryContext(tmp_path / "none")
    assert str(caught.value) == f"no such directory: {tmp_path}/none"


# --- Dockerfiles


def test_dockerfile_comes_before_containerfile(tmp_path: Path) -> None:
    make_tree(tmp_path, ["Dockerfile", "Containerfile"])
    assert find_dockerfile(tmp_path, None) == tmp_path / "Dockerfile"


def test_containerfile_will_do(tmp_path: Path) -> None:
    make_tree(tmp_path, ["Containerfile"])
    assert find_dockerfile(tmp_path, None) == tmp_path / "Containerfile"


def test_missing_dockerfile_names_what_is_there(tmp_path: Path) -> None:
    make_tree(tmp_path, ["dockerfile.dev", "README"])
    with pytest.raises(UsageError) as caught:
        find_dockerfile(tmp_path, None)
    assert str(caught.value) == (
        f"no Dockerfile or Containerfile in {tmp_path}\nhint: there is: dockerfile.dev"
    )


def test_missing_named_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_dockerfile(tmp_path, "ci/Dockerfile")
    assert str(caught.value) == (
        f"no Dockerfile in {tmp_path}/ci\nhint: there is no directory {tmp_path}/ci"
    )


# --- directories


@pytest.mark.skipif(not am_root, reason="only root can give files away")
def test_everything_belongs_to_root(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a"])
    os.chown(tmp_path / "a", 5, 6)
    (found,) = scan(ContextRootfs(tmp_path), "/")
    by_name = ContextRootfs(tmp_path).lstat("/a")
    assert (found.entry.uid, found.entry.gid, by_name.uid, by_name.gid) == (0, 0, 0, 0)


def test_scan_sees_what_lstat_sees(tmp_path: Path) -> None:
    make_tree(tmp_path, {"b": "B", "a/": None, "link": "-> a", "\udcff": ""})
    os.mkfifo(tmp_path / "pipe")
    tree = ContextRootfs(tmp_path)
    found = tree.scan("/")
    assert [one.name for one in found] == ["a", "b", "link", "pipe", "\udcff"]
    assert [one.entry for one in found] == [tree.lstat(f"/{one.name}") for one in found]


def test_scan_does_not_pass_through_links(tmp_path: Path) -> None:
    make_tree(tmp_path, {"a/x": "", "link": "-> a"})
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        ContextRootfs(tmp_path).scan("/link")


@pytest.mark.parametrize("read_before", [True, False])
def test_link_swapped_in_for_a_directory_leads_nowhere(tmp_path: Path, read_before: bool) -> None:
    context = make_tree(tmp_path / "context", {"d/x": "mine", "d/y": ""})
    make_tree(tmp_path / "outside", {"x": "secret"})
    tree = ContextRootfs(context)
    if read_before:
        tree.open("/d/y").close()
    (context / "d").rename(context / "old")
    (context / "d").symlink_to(tmp_path / "outside")
    try:
        with tree.open("/d/x") as file:
            found = file.read()
    except FileNotFoundError:
        found = b""
    assert found == (b"mine" if read_before else b"")


def test_directory_made_anew_is_seen_by_the_next_selection(tmp_path: Path) -> None:
    context = make_tree(tmp_path / "context", {"d/x": "old"})
    tree = ContextRootfs(context)
    before = files(lay(copy("d", "/"), tree, EMPTY))
    (context / "d").rename(context / "gone")
    make_tree(context, {"d/x": "new"})
    assert (before, files(lay(copy("d", "/"), tree, EMPTY))) == ({"/x": "old"}, {"/x": "new"})


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Invalid argument"):
        ContextRootfs(tmp_path).open("/pipe")


def test_context_given_by_a_link(tmp_path: Path) -> None:
    make_tree(tmp_path, {"real/a": "A", "way": "-> real"})
    assert files(lay(copy(".", "/"), tmp_path / "way", EMPTY)) == {"/a": "A"}


def test_sockets_are_told_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("door")
        (found,) = ContextRootfs(tmp_path).scan("/")
    assert found.entry.kind == "socket"


# --- archives


def make_archive(path: Path, *, compress: bool = False) -> Path:
    plain = path.with_suffix(".plain")
    with tarfile.open(plain, "w") as archive:
        for name, content in (("Dockerfile", "FROM x"), ("d/a", "A"), (".dockerignore", "b\n")):
            source = plain.with_suffix(".member")
            source.write_text(content)
            info = archive.gettarinfo(source, arcname=name)
            info.uid, info.gid = 7, 8
            with source.open("rb") as file:
                archive.addfile(info, file)
    data = plain.read_bytes()
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_archive_is_a_context(tmp_path: Path, compress: bool) -> None:
    context = TarContext(make_archive(tmp_path / "context.tar", compress=compress))
    assert files(lay(copy("d", "/x"), context.rootfs(), EMPTY)) == {"/x/a": "A"}
    context.close()


def test_archive_keeps_its_owners(tmp_path: Path) -> None:
    context = TarContext(make_archive(tmp_path / "context.tar"))
    found = at(lay(copy("d/a", "/"), context.rootfs(), EMPTY), "/a")
    assert (found.uid, found.gid) == (7, 8)


def test_archive_has_an_ignore_file(tmp_path: Path) -> None:
    context = TarContext(make_archive(tmp_path / "context.tar"))
    assert context.ignore is not None
    assert context.ignore.excludes("b")


def test_no_archive(tmp_path: Path) -> None:
    make_tree(tmp_path, ["text"])
    with pytest.raises(UsageError) as caught:
        TarContext(tmp_path / "text")
    assert str(caught.value) == f"not a tar archive: {tmp_path}/text"


def test_damaged_archive(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "context.tar", compress=True)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UsageError) as caught:
        TarContext(path)
    assert caught.value.message == f"cannot unpack {path}: unexpected EOF"


# --- opening


def test_open_context_by_what_is_there(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "context.tar")
    kinds = [type(open_context(path)) for path in (None, tmp_path, archive)]
    assert kinds == [EmptyContext, DirectoryContext, TarContext]


def test_open_context_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_context(tmp_path / "none")
    assert str(caught.value) == f"no such build context: {tmp_path}/none"


def test_empty_context_has_no_files() -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("a", "/"), EmptyContext().rootfs(), EMPTY)
    assert str(caught.value) == '"/a": not found'
    assert paths(lay(copy(".", "/x"), EmptyContext().rootfs(), EMPTY)) == ["/x/"]
