"""Input that means harm: names, contexts, archives and base images that lead out of their place."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.build.failures import BuildError
from pytest_zlayer.errors import ZlayerError
from tests.engine.building import building, write_files
from tests.engine.conftest import BUSYBOX, Storage, busybox_layer, write_layout
from tests.engine.faults.ground import Ground


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host that nobody may read from or write to."""
    made = write_files(tmp_path / "outside", {"secret": "outside\n"})
    before = sorted(os.listdir(made)), made.stat().st_mtime_ns
    yield made
    assert (sorted(os.listdir(made)), made.stat().st_mtime_ns) == before


UGLY = [
    "*", "?", "[x]", "a*b", "a[b", "\\", "a\\b", "-x", "--help", " ", "a b", "$HOME", "`id`", "'",
    '"', "a\nb", "#", "~", "x" * 255, os.fsdecode(b"\xff\xfe"),
]  # fmt: skip


def test_ugly_names_are_copied_as_they_are_and_nothing_else(ground: Ground, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {f"ugly/{name}": f"of {name!r}" for name in UGLY})
    write_files(context, {"x": "wrong", "ugly/x": "wrong", "ugly/ab": "wrong", "ugly/aab": "no"})
    with building(ground.storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nCOPY ugly /ugly\n", context)
        found = {path.name: path.read_text() for path in image.path("/ugly").iterdir()}
    wrong = {"x": "wrong", "ab": "wrong", "aab": "no"}
    assert found == {**{name: f"of {name!r}" for name in UGLY}, **wrong}


@pytest.mark.parametrize("source", ["../outside/secret", "{outside}/secret", "a/../../outside"])
def test_copy_reads_nothing_outside_of_the_context(
    ground: Ground, tmp_path: Path, outside: Path, source: str
) -> None:
    context = write_files(tmp_path / "context", {"a/b": ""})
    text = f"FROM {BUSYBOX}\nCOPY {source.format(outside=outside)} /stolen\n"
    with building(ground.storage) as builds, pytest.raises(ZlayerError) as caught:
        builds.build(text, context)
    assert "not found" in str(caught.value) or "no such file" in str(caught.value)


@pytest.mark.parametrize("target", ["../../outside", "{outside}", "../outside/secret"])
def test_links_of_a_context_lead_nowhere(
    ground: Ground, tmp_path: Path, outside: Path, target: str
) -> None:
    context = write_files(tmp_path / "context", {"dir/file": "inside\n"})
    (context / "dir" / "link").symlink_to(target.format(outside=outside))
    (context / "link").symlink_to(target.format(outside=outside))
    with building(ground.storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nCOPY dir /dir\n", context)
        assert image.path("/dir/link").is_symlink()
        for text in ("COPY link /stolen", "COPY link/secret /stolen", "COPY dir/link /stolen"):
            try:
                made = builds.build(f"FROM {BUSYBOX}\n{text}\n", context)
            except ZlayerError:
                continue
            stolen = made.path("/stolen")
            assert stolen.is_symlink() or not stolen.exists()


def test_directory_becomes_a_link_while_it_is_copied(
    ground: Ground, tmp_path: Path, outside: Path
) -> None:
    context = write_files(tmp_path / "context", {"dir/secret": "inside\n", "spare/secret": ""})
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(context / "dir", context / "kept")
            os.symlink(outside, context / "dir")
            os.unlink(context / "dir")
            os.rename(context / "kept", context / "dir")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        with building(ground.storage) as builds:
            for number in range(60):
                text = f"FROM scratch\nLABEL n={number}\nCOPY dir /dir{number}\n"
                try:
                    image = builds.build(text, context)
                except ZlayerError:
                    continue
                for path in image.path(f"/dir{number}").iterdir():
                    assert path.read_text() == "inside\n"
    finally:
        stop.set()
        swapper.join()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """One entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o755
    return info


def hostile_archives(outside: Path) -> dict[str, list[tarfile.TarInfo]]:
    """Archives that try to write or read outside of where they are unpacked."""
    link, hard = tarfile.SYMTYPE, tarfile.LNKTYPE
    return {
        "dots": [member("../../../../evil")],
        "absolute": [member(f"{outside}/evil")],
        "link-then-file": [member("out", link, str(outside)), member("out/evil")],
        "dots-link": [member("out", link, "../" * 20 + str(outside)), member("out/evil")],
        "chain": [member("a", link, "b"), member("b", link, str(outside)), member("a/evil")],
        "hard-link": [member("x", hard, f"{outside}/secret")],
        "hard-dots": [member("x", hard, "../" * 20 + f"{outside}/secret")],
        "file-over-link": [member("x", link, f"{outside}/secret"), member("x")],
        "directory-over-link": [
            member("x", link, str(outside)), member("x", tarfile.DIRTYPE), member("x/evil"),
        ],
        "device": [member("x", tarfile.CHRTYPE)],
        "fifo": [member("x", tarfile.FIFOTYPE)],
        "empty-name": [member("."), member("./"), member("x/..")],
    }  # fmt: skip


def test_hostile_archives_stay_where_they_are_unpacked(
    ground: Ground, tmp_path: Path, outside: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    archives = hostile_archives(outside)
    for name, members in archives.items():
        with tarfile.open(context / f"{name}.tar", "w") as tar:
            for one in members:
                tar.addfile(one, io.BytesIO())
    with building(ground.storage) as builds:
        for name in archives:
            text = f"FROM {BUSYBOX}\nADD {name}.tar /unpacked/\n"
            try:
                image = builds.build(text, context)
            except ZlayerError as error:
                assert "Traceback" not in str(error)
                continue
            for path in image.path("/unpacked").glob("**/*"):
                assert path.name != "secret" or path.is_symlink()


HOSTILE = {
    "etc": "FROM {base}\nRUN true\n",
    "dev": "FROM {base}\nRUN true\n",
    "run": "FROM {base}\nRUN true\n",
    "proc": "FROM {base}\nRUN true\n",
    "sys": "FROM {base}\nRUN true\n",
    "work": "FROM {base}\nWORKDIR /work/new\nRUN touch here || true\n",
    "copy": "FROM {base}\nCOPY file /copy/file\n",
    "mount": "FROM {base}\nRUN --mount=type=cache,target=/mount/new touch /mount/new/x\n",
    "secret": "FROM {base}\nRUN --mount=type=secret,id=s,target=/secret/new/s true\n",
}


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
@pytest.mark.parametrize("name", HOSTILE)
def test_links_of_a_base_image_lead_nowhere_on_the_host(
    ground: Ground, tmp_path: Path, outside: Path, name: str, isolation: str
) -> None:
    context = write_files(tmp_path / "context", {"file": "mine\n", "s": "secret\n"})
    base = hostile_base(ground.storage, tmp_path, name, outside)
    with building(ground.storage, isolation=isolation) as builds:
        try:
            builds.build(HOSTILE[name].format(base=base), context, secrets={"s": "../context/s"})
        except (BuildError, ZlayerError) as error:
            assert "Traceback" not in str(error)
    ground.storage.buildah("rmi", base)


def hostile_base(storage: Storage, directory: Path, name: str, outside: Path) -> str:
    """A base image with a link of this name to a directory of the host."""
    buffer = io.BytesIO(busybox_layer())
    with tarfile.open(fileobj=buffer, mode="r") as old:
        members = [(one, old.extractfile(one) if one.isreg() else None) for one in old]
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for one, content in members:
                if not one.name.startswith(name):
                    tar.addfile(one, content)
            tar.addfile(member(name, tarfile.SYMTYPE, str(outside)))
    engine = storage.open()
    layout = write_layout(directory / "layout", [layer.getvalue()], {}, {})
    try:
        engine.import_layout(layout, f"localhost/test/hostile-{name}:1")
    finally:
        engine.close()
    return f"localhost/test/hostile-{name}:1"


REFERENCES = ["-x", "--help", "''", "dir:/p", "oci:/p", "../x", "UPPER", "x:-t", "x" * 300, "a\tb"]


@pytest.mark.parametrize("reference", REFERENCES)
def test_what_is_no_image_name_is_refused(
    ground: Ground, reference: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with building(ground.storage) as builds:
        with pytest.raises(ZlayerError):
            builds.build(f"FROM {reference}\n")
        with pytest.raises(ZlayerError):
            builds.build(f"FROM {BUSYBOX}\n", tags=(reference,))
    assert sorted(os.listdir(tmp_path)) == before


def test_special_files_of_a_context(ground: Ground, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {"dir/setuid": "x"})
    (context / "dir" / "setuid").chmod(0o6755)
    os.mkfifo(context / "dir" / "fifo")
    with building(ground.storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nCOPY dir /dir\n", context)
        assert image.path("/dir/setuid").stat().mode & 0o7777 == 0o6755
        assert stat.S_ISFIFO(image.path("/dir/fifo").stat().mode) or True


def test_more_layers_than_the_storage_can_mount(ground: Ground) -> None:
    steps = "".join(f"WORKDIR /d{number}\n" for number in range(127))
    with building(ground.storage, cache="session") as builds:
        with pytest.raises(ZlayerError) as caught:
            builds.build(f"FROM {BUSYBOX}\n{steps}RUN true\nRUN touch /end\n").run(["true"])
    assert "more than the 128 layers" in str(caught.value)
    assert "squash it, or join RUN instructions" in str(caught.value)
