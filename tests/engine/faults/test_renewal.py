"""What --no-cache leaves for later builds, and names and layers beyond what a store can hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.prune import list_store
from pytest_zlayer.errors import UsageError
from tests.engine.building import building, make_options, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox

RANDOM = f"""\
FROM {BUSYBOX} AS tools
RUN cat /proc/sys/kernel/random/uuid > /tool
FROM {BUSYBOX}
COPY --from=tools /tool /tool
RUN cat /proc/sys/kernel/random/uuid > /u
RUN cp /u /copy
"""


@pytest.fixture
def fresh(own_storage: Storage, tmp_path: Path) -> Storage:
    """A storage with busybox in it."""
    add_busybox(own_storage, tmp_path / "busybox")
    return own_storage


def built(storage: Storage, *, no_cache: bool) -> tuple[str, str, str]:
    """What the files hold after a session of its own, as the CLI or one pytest run is."""
    with building(storage, no_cache=no_cache) as builds:
        image = builds.build(RANDOM)
        found = [image.path(name).read_text() for name in ("/tool", "/u", "/copy")]
        assert found[1] == found[2]
    return found[0], found[1], found[2]


def test_a_build_without_the_cache_renews_it(fresh: Storage) -> None:
    runs = [built(fresh, no_cache=one) for one in (True, False, False, True, False)]
    first, second = runs[0], runs[3]
    assert set(first).isdisjoint(second)
    assert runs == [first, first, first, second, second]


def test_renewed_layers_leave_no_older_ones(fresh: Storage) -> None:
    counts = []
    for _ in range(3):
        built(fresh, no_cache=True)
        counts.append(len([one for one in list_store(make_options(fresh)) if one.kind == "cache"]))
    assert counts[0] == counts[1] == counts[2] > 0


def test_names_given_by_a_test_go_with_the_session(fresh: Storage) -> None:
    with building(fresh) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nLABEL a=b\n")
        image.tag("localhost/given:1", "localhost/given:2")
        names = [name for one in builds.session.engine.images.all() for name in one.names]
        assert {"localhost/given:1", "localhost/given:2"} <= set(names)
    with building(fresh) as builds:
        names = [name for one in builds.session.engine.images.all() for name in one.names]
        assert [name for name in names if "given" in name] == []


def test_more_layers_than_a_store_can_mount_are_refused(fresh: Storage, tmp_path: Path) -> None:
    context = write_files(tmp_path / "many", {"a": "a\n"})
    text = f"FROM {BUSYBOX}\n" + "".join(f"COPY a /a{number}\n" for number in range(130))
    with building(fresh) as builds, pytest.raises(UsageError) as caught:
        builds.build(text, context, name="many")
    assert caught.value.message == (
        "many would have 131 layers, and a container storage mounts 127 at most"
    )


@pytest.mark.parametrize("stage", ["FROM scratch AS files\nCOPY a /a\n", "FROM scratch AS files\n"])
@pytest.mark.parametrize("mount", ["type=bind", "type=cache"])
def test_mount_from_a_stage_without_run_and_without_the_cache(
    fresh: Storage, tmp_path: Path, stage: str, mount: str
) -> None:
    context = write_files(tmp_path / "context", {"a": "a\n"})
    run = f"RUN --mount={mount},from=files,target=/m ls /m > /listing\n"
    with building(fresh, no_cache=True) as builds:
        image = builds.build(f"{stage}FROM {BUSYBOX}\n{run}", context)
        assert image.path("/listing").read_text() == ("a\n" if "COPY" in stage else "")


def test_workdir_of_a_user_that_does_not_exist(fresh: Storage) -> None:
    with building(fresh) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nUSER nosuch\nWORKDIR /w\n")
        assert (image.path("/w").stat().uid, image.config.user) == (0, "nosuch")


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_tar_archive_as_context(fresh: Storage, tmp_path: Path) -> None:
    dockerfile = f"FROM {BUSYBOX}\nCOPY . /all/\n".encode()
    files = {"Dockerfile": dockerfile, "a": b"a\n", "b": b"b\n", ".dockerignore": b"b\n"}
    context = archive(tmp_path / "context.tar.gz", files)
    with building(fresh) as builds:
        image = builds.session.build(ImageSpec(context=context))
        assert image.path("/all/a").read_text() == "a\n"
        assert not image.path("/all/b").exists()
