"""What build arguments for the builder do, and what RUN may write of what the engine mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.dockerfile import DockerfileError
from tests.builder.servers import Server

from .building import building
from .conftest import Storage


def test_cache_mounts_of_a_namespace_are_other_ones(storage: Storage, busybox: str) -> None:
    text = f"FROM {busybox}\nRUN --mount=type=cache,target=/c echo $1 >> /c/f; cp /c/f /f; : %s"
    with building(storage) as builds:
        images = [
            builds.build(text % number, build_args={"BUILDKIT_CACHE_MOUNT_NS": name})
            for number, name in enumerate(["one", "", "one"])
        ]
        assert [one.path("/f").read_text() for one in images] == ["\n", "\n", "\n\n"]


def test_date_of_a_remote_source_is_that_of_the_image(
    storage: Storage, busybox: str, tmp_path: Path
) -> None:
    server = Server(tmp_path)
    text = (
        "ARG SOURCE_DATE_EPOCH=dates\n"
        f"FROM scratch AS dates\nADD {server.url('/dated')} /\n"
        f"FROM {busybox}\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH > /f"
    )
    try:
        with building(storage) as builds:
            image = builds.build(text)
            assert image.path("/f").read_text() == "1420070407\n"
            assert image.path("/f").stat().mtime == 1420070407
            assert image.created.timestamp() == 1420070407
    finally:
        server.close()


def test_files_of_the_engine_are_read_only_to_a_step(storage: Storage, busybox: str) -> None:
    with building(storage) as builds:
        if builds.session.engine.isolation == "chroot":
            pytest.skip("no OCI runtime works here")
        with pytest.raises(BuildError) as caught:
            builds.build(f"FROM {busybox}\nRUN echo 127.0.0.1 x >> /etc/hosts")
    assert any("Read-only file system" in line for line in caught.value.tail)


def test_missing_secret_is_shown_where_it_is_asked_for(storage: Storage, busybox: str) -> None:
    text = f"FROM {busybox}\nRUN --mount=type=secret,id=token,required true\n"
    with building(storage) as builds, pytest.raises(DockerfileError) as caught:
        builds.build(text)
    assert str(caught.value) == (
        "<inline Dockerfile>:2:13: secret token: not found\n"
        "    2 | RUN --mount=type=secret,id=token,required true\n"
        "      |             ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
        "hint: declare it: secrets={'token': 'path/or/env:NAME'}"
    )


def test_mount_from_a_misspelled_stage_names_the_one_that_is_meant(
    storage: Storage, busybox: str
) -> None:
    text = f"FROM {busybox} AS tools\nFROM {busybox}\nRUN --mount=from=tool,target=/t true\n"
    with building(storage, pull="never") as builds, pytest.raises(DockerfileError) as caught:
        builds.build(text)
    (found,) = caught.value.diagnostics
    assert (found.span.line, found.hint) == (3, "did you mean tools?")
