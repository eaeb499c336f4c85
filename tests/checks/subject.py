"""Something to check that needs no engine: files of a directory, and whatever else is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer import RunResult
from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.checks.assertions import ImageAssertions
from pytest_zlayer.checks.packages.read import read_packages
from pytest_zlayer.checks.packages.record import Package
from pytest_zlayer.checks.waste import WastedFile
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig

USERS = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
GROUPS = "root:x:0:\napp:x:1000:\nweb:x:33:app\n"


@dataclass(frozen=True)
class Layer:
    """A layer."""

    size: int


@dataclass(frozen=True)
class HistoryEntry:
    """A line of history."""

    created_by: str
    empty: bool = False


@dataclass
class Subject(ImageAssertions):
    """As much of an image as checks ask for."""

    root: Path
    config: ImageConfig = field(default_factory=ImageConfig)
    label: str = "api"
    layers: Sequence[Layer] = ()
    history: Sequence[HistoryEntry] = ()
    wasted: Sequence[WastedFile] = ()
    ended: RunResult = field(default_factory=lambda: RunResult(0, "", "", 0.1))
    asked: list[Any] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(one.size for one in self.layers)

    @property
    def packages(self) -> Mapping[str, Package]:
        return read_packages(self)

    def path(self, path: str) -> ImagePath:
        return ImagePath(LocalRootfs(self.root), path)

    def run(self, cmd: Any = None, **more: Any) -> RunResult:
        self.asked.append((cmd, more))
        return self.ended


def make(root: Path, files: Mapping[str, str | bytes | None], **more: Any) -> Subject:
    """A subject with these files; ``None`` is a directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Subject(root, **more)


def failure(call: Any, *args: Any, **kwargs: Any) -> str:
    """What an assertion says when it fails."""
    with pytest.raises(AssertionError) as caught:
        call(*args, **kwargs)
    return str(caught.value)
