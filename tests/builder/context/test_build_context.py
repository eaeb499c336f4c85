"""Build contexts: directories, archives, none; their Dockerfile and ignore file."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from pytest_zlayer.builder.context.build_context import (
    DirectoryContext,
    EmptyContext,
    TarContext,
    find_dockerfile,
    open_context,
    read_dockerfile,
)
from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.errors import UsageError
from tests.builder.sparse_members import FORMATS, sparse_archive
from tests.builder.support import at, copy, files, lay, make_tree, paths

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


def packed(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    return path


def test_archive_has_an_ignore_file_for_its_containerfile(tmp_path: Path) -> None:
    files = {"Containerfile": "FROM x", "Containerfile.dockerignore": "a", ".dockerignore": "b"}
    context = TarContext(packed(tmp_path / "context.tar", files))
    assert context.ignore is not None
    assert context.ignore.excludes("a")
    assert not context.ignore.excludes("b")


def test_malformed_ignore_file_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "context.tar", {".dockerignore": "!"})
    with pytest.raises(UsageError) as caught:
        TarContext(path)
    assert str(caught.value) == f'{path}/.dockerignore: illegal exclusion pattern: "!"'


def test_no_archive(tmp_path: Path) -> None:
    make_tree(tmp_path, ["text"])
    with pytest.raises(UsageError) as caught:
        TarContext(tmp_path / "text")
    assert str(caught.value).splitlines() == [
        f"not a tar archive: {tmp_path}/text",
        (
            "hint: a build context is a directory; the Dockerfile is named apart from it "
            "(dockerfile=, --file)"
        ),
    ]


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


# --- what is kept in memory


LIMIT = 1 << 24


def read_both(path: Path) -> None:
    read_dockerfile(path, None)
    DirectoryContext(path)


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_a_file_that_is_too_large_to_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    with (tmp_path / name).open("w") as file:
        file.truncate(1 << 42)
    with pytest.raises(UsageError) as caught:
        read_both(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / name} has more than 16 MiB: "
        "neither a Dockerfile nor an ignore file is that large"
    )


def test_the_largest_file_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"\n" * LIMIT)
    assert len(read_dockerfile(tmp_path, None)[0]) == LIMIT


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_an_archive_that_is_too_large_to_be_one(tmp_path: Path, form: str) -> None:
    (tmp_path / "c.tar").write_bytes(sparse_archive(form))
    with pytest.raises(UsageError, match="huge has more than 16 MiB"):
        read_dockerfile(tmp_path / "c.tar", "huge")


@pytest.mark.parametrize("name", [None, "Dockerfile"])
def test_a_dockerfile_that_is_no_file(tmp_path: Path, name: str | None) -> None:
    os.mkfifo(tmp_path / "Dockerfile")
    with pytest.raises(UsageError) as caught:
        find_dockerfile(tmp_path, name)
    assert str(caught.value) == f"{tmp_path}/Dockerfile is neither a file nor a directory"
