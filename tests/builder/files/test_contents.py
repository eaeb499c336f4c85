"""Sources of bytes."""

from __future__ import annotations

from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.files.contents import InlineContent, TreeContent
from tests.builder.support import make_tree


def test_inline_content_can_be_read_twice() -> None:
    content = InlineContent(b"abc")
    assert [content.open().read(), content.open().read(), content.size] == [b"abc", b"abc", 3]


def test_content_of_a_tree_is_read_when_asked_for(tmp_path: Path) -> None:
    content = TreeContent(LocalRootfs(make_tree(tmp_path, {"a": "old"})), "/a", 3)
    (tmp_path / "a").write_text("new")
    with content.open() as file:
        assert file.read() == b"new"
