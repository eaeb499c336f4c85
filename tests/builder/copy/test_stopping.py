"""Whatever goes over content looks for the stop, and refuses what cannot be."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.context.build_context import TarContext
from pytest_zlayer.builder.context.export import export
from pytest_zlayer.builder.copy import CopyError, layout, lookup_user, resolve_owner, select
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.oci.layer import LayerEntry, LayerError, write_layer
from pytest_zlayer.builder.oci.squash import merge_layers
from pytest_zlayer.builder.stopping import Interrupted
from tests.builder.support import add, copy, make_tree


class Stopper:
    """Lets so many looks pass, then stops."""

    def __init__(self, looks: int) -> None:
        self.left = looks
        self._guard = threading.Lock()

    def __call__(self) -> None:
        with self._guard:
            self.left -= 1
            if self.left < 0:
                raise Interrupted


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_hashing_a_large_file_stops(tmp_path: Path) -> None:
    sparse(tmp_path / "large", 1 << 40)  # hours of hashing
    found = select(copy("large", "/"), ContextRootfs(tmp_path))
    with pytest.raises(Interrupted):
        found.digest(Digests(None), Stopper(3))


def test_hashing_stops_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    sparse(tmp_path / "large", 1 << 40)
    found = select(copy("large", "/"), ContextRootfs(tmp_path))

    class Ctrl(BaseException):
        pass

    def files():
        yield found.sources[0].rootfs, found.sources[0].nodes[0]
        raise Ctrl  # out of a signal handler, while another thread hashes

    with pytest.raises(Ctrl):
        list(Digests(None).of_files(files()))


def test_writing_a_layer_stops(tmp_path: Path) -> None:
    sparse(tmp_path / "large", 60_000_000)
    found = select(copy("large", "/"), ContextRootfs(tmp_path))
    entries = layout(found, copy("large", "/"), LocalRootfs(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(Interrupted):
        write_layer(entries, out, check=Stopper(5))
    assert list(out.iterdir()) == []


def archive_of(path: Path, count: int, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for number in range(count):
            tar.addfile(tarfile.TarInfo(f"f{number}"))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_unpacking_an_archive_stops(tmp_path: Path, mode: str) -> None:
    archive_of(tmp_path / "a.tar", 100, mode)
    operation = add("a.tar", "/")
    found = select(operation, ContextRootfs(tmp_path), check=Stopper(10))
    with pytest.raises(Interrupted):
        layout(found, operation, LocalRootfs(tmp_path))


def test_walking_a_tree_stops(tmp_path: Path) -> None:
    make_tree(tmp_path, [f"d{number}/f" for number in range(20)])
    with pytest.raises(Interrupted):
        select(copy(".", "/"), ContextRootfs(tmp_path), check=Stopper(10))


@pytest.mark.parametrize("looks", [0, 5])
def test_exporting_a_tree_stops(tmp_path: Path, looks: int) -> None:
    (tmp_path / "context").mkdir()
    sparse(tmp_path / "context" / "large", 60_000_000)
    with pytest.raises(Interrupted):
        export(LocalRootfs(tmp_path / "context"), "/", tmp_path / "out", None, Stopper(looks))


def test_squashing_stops(tmp_path: Path) -> None:
    layers = [archive_of(tmp_path / f"{number}.tar", 50, "w") for number in range(2)]
    with pytest.raises(Interrupted):
        merge_layers(layers, tmp_path / "merged", Stopper(20))


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(tmp_path: Path) -> None:
    sparse(tmp_path / "huge", 1 << 42)
    operation = copy("huge", "/")
    entries = layout(select(operation, ContextRootfs(tmp_path)), operation, LocalRootfs(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(LayerError, match=rf"/huge has {1 << 42} bytes, and only \d+ are free in"):
        write_layer(entries, out)
    assert list(out.iterdir()) == []


# -- deep trees ----------------------------------------------------------------------------------


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A file in more directories than Python's stack holds calls."""
    top = inside = tmp_path / "deep"
    top.mkdir()
    for _ in range(1200):
        inside /= "d"
        inside.mkdir()
    (inside / "f").write_text("deep\n")
    yield top
    subprocess.run(["rm", "-rf", top], check=True)  # shutil cannot


def test_directories_deeper_than_the_stack_are_copied(deep: Path, tmp_path: Path) -> None:
    operation = copy(".", "/all/")
    found = select(operation, ContextRootfs(deep))
    entries = layout(found, operation, LocalRootfs(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    blob = write_layer(entries, out)
    with tarfile.open(blob.path) as tar:
        assert tar.getnames()[-1] == "all" + "/d" * 1200 + "/f"


def test_directories_deeper_than_the_stack_are_exported(deep: Path, tmp_path: Path) -> None:
    target = deep / "out"
    export(LocalRootfs(deep), "/d", target, None)
    assert (target / ("d/" * 1199) / "f").read_text() == "deep\n"


# -- numbers -------------------------------------------------------------------------------------


def image(tmp_path: Path, passwd: str) -> LocalRootfs:
    make_tree(tmp_path / "image", {"etc/passwd": passwd, "etc/group": "g:x:²:\nh:x:7:\n"})
    return LocalRootfs(tmp_path / "image")


LONG = "9" * 5000
PASSWD = f"bad:x:²:0::/\nlong:x:{LONG}:0::/\nuser:x:5:6::/\n"


@pytest.mark.parametrize("find", [lookup_user, resolve_owner])
@pytest.mark.parametrize("name", ["²", LONG, "bad", "long", f"user:{LONG}", "user:g", "user:²"])
def test_ids_that_are_no_numbers(tmp_path: Path, find: Callable[..., object], name: str) -> None:
    with pytest.raises(CopyError) as caught:
        find(name, image(tmp_path, PASSWD))
    assert len(caught.value.message) < 5100


def test_lines_with_such_ids_hide_no_others(tmp_path: Path) -> None:
    found = lookup_user("user:h", image(tmp_path, PASSWD))
    assert (found.uid, found.gid) == (5, 7)


def unpacked(directory: Path, *, time: str) -> tuple[LayerEntry, ...]:
    """The layer of an archive with one file of this time."""
    with tarfile.open(directory / "a.tar", mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("f")
        info.pax_headers = {"mtime": time}
        tar.addfile(info)
    operation = add("a.tar", "/")
    found = select(operation, ContextRootfs(directory))
    return layout(found, operation, LocalRootfs(directory))


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("1.5", 1), ("-1.5", 0), ("9223372036", 9_223_372_036), ("-9223372036", 0)],
)
def test_times_of_an_archive(tmp_path: Path, time: str, seconds: int) -> None:
    (entry,) = unpacked(tmp_path, time=time)
    assert entry.mtime_ns == seconds * 10**9


@pytest.mark.parametrize("time", ["inf", "-inf", "nan", "1e300", "9223372037"])
def test_times_of_an_archive_that_are_none(tmp_path: Path, time: str) -> None:
    with pytest.raises(CopyError, match=r"cannot unpack a.tar: f has no valid time"):
        unpacked(tmp_path, time=time)


# -- archives as contexts ------------------------------------------------------------------------


def test_files_of_an_archive_can_be_hashed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        info = tarfile.TarInfo("a")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"a\n"))
    context = TarContext(tmp_path / "c.tar")
    found = select(copy("a", "/"), context.rootfs())
    assert found.digest(Digests(None)) == found.digest(Digests(None))
    assert os.path.exists(context.name)
