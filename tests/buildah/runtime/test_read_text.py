"""Files of a container that say who its users are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.buildah.runtime.direct import read_text
from pytest_zlayer.buildah.runtime.specification import NotUnderstood


def test_a_file_is_read_and_one_that_is_not_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0::/:\n")
    assert read_text(LocalRootfs(tmp_path), "/passwd") == "root:x:0:0::/:\n"
    assert read_text(LocalRootfs(tmp_path), "/none") == ""


def test_a_file_of_any_length_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "passwd").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(NotUnderstood, match="/passwd has more than 10 MiB"):
        read_text(LocalRootfs(tmp_path), "/passwd")
