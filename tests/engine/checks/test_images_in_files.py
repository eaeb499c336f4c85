"""Images in archives and directories: as ready images, as bases and as contexts."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pytest_zlayer import EngineError, ImageSpec, UsageError, ZlayerError
from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.oci.layout import write_layout
from pytest_zlayer.builder.store import image_directory
from pytest_zlayer.dockerfile import DockerfileError
from tests.builder.sparse_members import FORMATS, sparse_archive
from tests.engine.building import Builds, building
from tests.engine.conftest import BUSYBOX, Storage

KINDS = ("oci-archive", "docker-archive", "oci", "dir")


def saved(builds: Builds, tmp_path: Path, kind: str) -> str:
    """A reference to an image that was written to a file and is known nowhere else."""
    image = builds.build(
        f"FROM {BUSYBOX}\nRUN echo {kind} > /kind", tags=(f"localhost/in/{kind}:1",)
    )
    path = image.save(tmp_path / kind, kind)
    return f"{kind}:{path}"


# buildah 1.28 makes a name of the path of a layout, and many paths are no names of images.
@pytest.mark.parametrize("folder", ["plain", "My Images_~1"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_in_a_file(
    storage: Storage, busybox: str, tmp_path: Path, kind: str, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    with building(storage) as builds:
        reference = saved(builds, tmp_path / folder, kind)
    before = storage.image_names()
    with building(storage) as builds:
        ready = builds.session.build(ImageSpec(ref=reference))
        assert ready.path("/kind").read_text() == f"{kind}\n"
        text = "FROM base\nRUN cat /kind > /copy\nCOPY --from=base /kind /other"
        built = builds.build(text, build_contexts={"base": reference})
        assert built.path("/copy").read_text() == f"{kind}\n"
        assert built.path("/other").read_text() == f"{kind}\n"
        assert f"localhost/in/{kind}:1" not in storage.image_names()
    cached = [one for one in storage.image_names() if "zlayer/cache" in one]
    assert [one for one in storage.image_names() if one not in cached] == [
        one for one in before if one not in cached
    ]


def fast_gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=1)


def fast_xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


@pytest.mark.parametrize("kind", ["oci", "dir"])
def test_a_damaged_directory_is_called_by_its_path(
    storage: Storage, tmp_path: Path, kind: str
) -> None:
    with building(storage) as builds, pytest.raises(EngineError) as caught:
        builds.session.build(ImageSpec(ref=f"{kind}:{tmp_path}"))
    assert str(caught.value).startswith(f"cannot pull {kind}:{tmp_path}: ")
    assert "place-" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_layer_with_a_file_that_no_disk_holds(
    own_storage: Storage, tmp_path: Path, kind: str, form: str
) -> None:
    reference = written(tmp_path, kind, sparse_archive(form))
    with building(own_storage) as builds:
        for spec in (
            ImageSpec(ref=reference),
            ImageSpec(text="FROM base\nRUN x", build_contexts={"base": reference}),
        ):
            with pytest.raises(ZlayerError, match="cannot be unpacked: huge has 1"):
                builds.session.build(spec)
    assert own_storage.image_names() == []


@pytest.mark.usefixtures("busybox")
@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_an_image_that_is_in_the_store_are_not_read_again(
    storage: Storage,
    own_storage: Storage,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with building(storage) as builds:
        reference = saved(builds, tmp_path, kind)
    with building(own_storage) as builds:
        builds.session.build(ImageSpec(ref=reference))
        monkeypatch.setattr(image_directory, "tar_stream", None)
        image = builds.build(
            "FROM base\nCOPY --from=base kind x", build_contexts={"base": reference}
        )
        assert image.path("/x").read_text() == f"{kind}\n"


def written(tmp_path: Path, kind: str, layer: bytes) -> str:
    """A reference to an image with this layer."""
    blob = tmp_path / "layer"
    blob.write_bytes(layer)
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = {"architecture": "amd64", "os": "linux", "rootfs": rootfs}
    write_layout(tmp_path / "layout", config, [Layer(diff_id, len(layer), blob)], "oci")
    if kind == "oci":
        return f"oci:{tmp_path / 'layout'}"
    target = f"{kind}:{tmp_path / 'image'}"
    name = ":x:1" if kind == "docker-archive" else ""
    argv = ["skopeo", "copy", "--quiet", f"oci:{tmp_path / 'layout'}", f"{target}{name}"]
    subprocess.run(argv, check=True, capture_output=True)
    return target


@pytest.mark.parametrize(
    "compress",
    [fast_gzip, bz2.compress, fast_xz, zstandard.compress],
    ids=lambda one: one.__module__,
)
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_a_compressed_archive(
    storage: Storage, busybox: str, tmp_path: Path, kind: str, compress: Callable[[bytes], bytes]
) -> None:
    with building(storage) as builds:
        path = Path(saved(builds, tmp_path, kind).partition(":")[2])
        packed = tmp_path / "image.tar.x"
        packed.write_bytes(compress(path.read_bytes()))
        ready = builds.session.build(ImageSpec(ref=f"{kind}:{packed}"))
        assert ready.path("/kind").read_text() == f"{kind}\n"
        text = "FROM base\nRUN cat /kind > /copy"
        built = builds.build(text, base=ImageSpec(ref=f"{kind}:{packed}"))
        assert built.path("/copy").read_text() == f"{kind}\n"
        cut = tmp_path / "cut.tar.x"
        cut.write_bytes(packed.read_bytes()[:-100_000])
        with pytest.raises(
            UsageError, match=r"cut\.tar\.x cannot be read as an archive of an image"
        ):
            builds.session.build(ImageSpec(ref=f"{kind}:{cut}"))


def test_one_of_the_images_in_an_archive(storage: Storage, busybox: str, tmp_path: Path) -> None:
    with building(storage) as builds:
        reference = saved(builds, tmp_path, "docker-archive")
        ready = builds.session.build(ImageSpec(ref=reference))
        named = builds.session.build(ImageSpec(ref=f"{reference}:localhost/in/docker-archive:1"))
        assert named.id == ready.id
        with pytest.raises(UsageError, match="holds no image 'x:1'") as caught:
            builds.session.build(ImageSpec(ref=f"{reference}:x:1"))
        assert caught.value.hint == "it holds: localhost/in/docker-archive:1"


def rewritten(
    archive: Path, target: Path, change: Callable[[str, bytes], list[tuple[str, Any]]]
) -> Path:
    """An archive with other members: ``change`` gives names with contents, or targets of links."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as tar:
        for member in source:
            file = source.extractfile(member) if member.isreg() else None
            for name, content in change(member.name, b"" if file is None else file.read()):
                info = tarfile.TarInfo(name)
                if isinstance(content, str):
                    info.type, info.linkname = tarfile.SYMTYPE, content
                    tar.addfile(info)
                else:
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    return target


def test_layers_as_docker_writes_them(storage: Storage, busybox: str, tmp_path: Path) -> None:
    def compressed(name: str, content: bytes) -> list[tuple[str, Any]]:
        is_layer = name.endswith(".tar")
        return [(name, fast_gzip(content) if is_layer else content)] if content else []

    def linked(name: str, content: bytes) -> list[tuple[str, Any]]:
        if not content:
            return []
        if name == "manifest.json":
            return [(name, content.replace(b'.tar"', b'/layer.tar"'))]
        layer = name.removesuffix(".tar")
        return (
            [(name, content)]
            if layer == name
            else [
                (f"{layer}/layer.tar", f"../twin-{layer}/layer.tar"),
                (f"twin-{layer}/layer.tar", content),
            ]
        )

    with building(storage) as builds:
        archive = Path(saved(builds, tmp_path, "docker-archive").partition(":")[2])
        for change in (compressed, linked):
            path = rewritten(archive, tmp_path / f"{change.__name__}.tar", change)
            ready = builds.session.build(ImageSpec(ref=f"docker-archive:{path}"))
            assert ready.path("/kind").read_text() == "docker-archive\n"


def test_what_is_no_image_is_refused(storage: Storage, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "text", "text")
    with building(storage) as builds:
        for reference, reported in (
            ("text", "cannot be read as an archive of an image"),
            ("other.tar", "is no archive of an image"),
            ("none", "there is no "),
        ):
            with pytest.raises(UsageError, match=reported):
                builds.session.build(ImageSpec(ref=f"oci-archive:{tmp_path}/{reference}"))
        with pytest.raises((UsageError, DockerfileError), match="there is no "):
            builds.build("FROM base", build_contexts={"base": f"oci:{tmp_path}/none"})
