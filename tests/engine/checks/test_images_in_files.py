"""Images in archives and directories: as ready images, as bases and as contexts."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

import pytest

from pytest_zlayer import ImageSpec, UsageError
from pytest_zlayer.dockerfile import DockerfileError
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


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_in_a_file(storage: Storage, busybox: str, tmp_path: Path, kind: str) -> None:
    with building(storage) as builds:
        reference = saved(builds, tmp_path, kind)
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


def test_a_compressed_archive(storage: Storage, busybox: str, tmp_path: Path) -> None:
    with building(storage) as builds:
        path = Path(saved(builds, tmp_path, "docker-archive").partition(":")[2])
        packed = tmp_path / "image.tar.gz"
        with path.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target)
        ready = builds.session.build(ImageSpec(ref=f"docker-archive:{packed}"))
        assert ready.path("/kind").exists()
        named = builds.session.build(
            ImageSpec(ref=f"docker-archive:{packed}:localhost/in/docker-archive:1")
        )
        assert named.id == ready.id
        with pytest.raises(UsageError, match="holds no image 'x:1'") as caught:
            builds.session.build(ImageSpec(ref=f"docker-archive:{packed}:x:1"))
        assert caught.value.hint == "it holds: localhost/in/docker-archive:1"


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
