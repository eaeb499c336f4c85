"""COPY from beginning to end: here-documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.dockerfile.operations.kinds import InlineFile
from tests.builder.support import NOW, at, copy, files, lay, make_tree

EMPTY = EmptyRootfs()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return make_tree(
        tmp_path / "context",
        {"a.txt": "A", "b.txt": "B", "dir/c": "C", "dir/sub/d": "D", "dir/empty/": None},
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_tree(
        tmp_path / "image",
        {
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n",
            "etc/group": "root:x:0:\nwheel:x:10:app\napp:x:2345:\n",
            "opt/old": "old",
        },
    )


# --- here-documents


def test_inline_files_come_after_paths(context: Path) -> None:
    inline = (InlineFile("a.txt", b"inline"), InlineFile("robots", b"none"))
    layer = lay(copy("a.txt", "/x/", files=inline), context, EMPTY)
    assert files(layer) == {"/x/a.txt": "inline", "/x/robots": "none"}


def test_inline_file_has_its_own_mode_and_the_time_of_the_build() -> None:
    inline = (InlineFile("robots", b"none"),)
    found = at(lay(copy("/x", files=inline, chown="7"), EMPTY, EMPTY), "/x")
    assert (found.mode, found.uid, found.mtime_ns) == (0o644, 7, NOW * 10**9)
