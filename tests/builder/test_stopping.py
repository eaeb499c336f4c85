"""Whatever goes over content looks whether it is to stop, and writes nothing that has no room."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_zlayer.buildah.agent.files.unpack import unpack
from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.context.export import export
from pytest_zlayer.builder.context.fetch import FetchError, download
from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.oci.squash import merge_layers
from pytest_zlayer.builder.stopping import StopEvent
from pytest_zlayer.builder.store.archives import unpack_archive
from pytest_zlayer.errors import UsageError
from pytest_zlayer.waiting import in_background
from tests.builder.servers import Server
from tests.interruptions import interruptions, notices

MEGABYTE = 1 << 20
# More than there is room for, and enough for the disk to be asked.
LARGE = 100 * MEGABYTE


class Stopped(Exception):
    """What the check raises."""


def after(calls: int) -> Callable[[], None]:
    """A check that raises at this call."""
    left = iter(range(calls - 1))

    def check() -> None:
        if next(left, None) is None:
            raise Stopped

    return check


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A directory with one file that takes no room itself."""
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "f").open("wb") as file:
        file.truncate(LARGE)
    return folder


@pytest.fixture
def archive(tmp_path: Path, large: Path) -> Path:
    path = tmp_path / "large.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(large / "f", "f")
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    found.bodies["/large"] = bytes(LARGE)
    yield found
    found.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full, which none can be made to be here."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=MEGABYTE))


def written(target: Path) -> int:
    return sum(one.stat().st_size for one in target.rglob("*") if one.is_file())


# -- stopping


def test_download(server: Server, target: Path) -> None:
    with pytest.raises(Stopped):
        download(server.url("/large"), target, environment={}, check=after(3))
    assert written(target) == 0  # what had come is gone


def test_export(large: Path, target: Path) -> None:
    with pytest.raises(Stopped):
        export(LocalRootfs(large), "/f", target / "f", None, after(3))
    assert written(target) < LARGE


def test_archive_of_an_image(archive: Path, target: Path) -> None:
    with pytest.raises(Stopped):
        unpack_archive("oci-archive", archive, "", target, after(50))
    assert 0 < written(target) < LARGE


def test_layer_on_a_container(archive: Path, target: Path) -> None:
    with pytest.raises(Stopped):
        unpack(str(target), str(archive), check=after(4))
    assert 0 < written(target) < LARGE


def test_merged_layers(archive: Path, target: Path) -> None:
    with pytest.raises(Stopped):
        merge_layers([archive], target / "merged", after(5))
    assert 0 < written(target) < LARGE


def test_digest_of_merged_layers(archive: Path, target: Path) -> None:
    calls: list[int] = []
    merge_layers([archive], target / "merged", lambda: calls.append(0))
    before = LARGE // (16 << 10)  # as tarfile copies
    assert len(calls) >= before + LARGE // MEGABYTE


# -- room


def test_download_that_has_no_room(server: Server, target: Path, no_room: None) -> None:
    with pytest.raises(FetchError, match=f"has {LARGE} bytes, and only {MEGABYTE} are free in"):
        download(server.url("/large"), target, environment={})
    assert list(target.iterdir()) == []


def test_export_that_has_no_room(large: Path, target: Path, no_room: None) -> None:
    with pytest.raises(CopyError, match=f"/f has {LARGE} bytes, and only {MEGABYTE} are free in"):
        export(LocalRootfs(large), "/f", target / "f", None)
    assert list(target.iterdir()) == []


def test_archive_of_an_image_that_has_no_room(archive: Path, target: Path, no_room: None) -> None:
    with pytest.raises(UsageError, match=f"f has {LARGE} bytes, and only {MEGABYTE} are free in"):
        unpack_archive("oci-archive", archive, "", target)
    assert written(target) == 0


# -- the event --


def test_event_is_set_with_that_of_the_session() -> None:
    session = StopEvent()
    build = StopEvent(session)
    assert not build.wait(0.01)
    session.set()
    assert build.is_set()
    assert build.wait()


def test_pause_notices_a_signal_that_came_just_before() -> None:
    assert notices(StopEvent().wait)
    assert notices(lambda: StopEvent().wait(90))


def test_who_sets_or_waits_can_be_interrupted_anywhere() -> None:
    event = StopEvent()

    def use() -> None:
        event.wait(0.001)
        event.set()

    for where in interruptions(use, "threading"):
        in_background(event.set, "others").result(90)
        assert in_background(event.wait, "others").result(90), where
        event = StopEvent()
