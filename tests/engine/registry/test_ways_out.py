"""Images saved to files, read again, and handed to other engines."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.image.image_like import SaveFormat
from pytest_zlayer.choices import ImageFormat
from pytest_zlayer.errors import UsageError
from tests.engine.building import Builds
from tests.engine.conftest import Storage
from tests.engine.registry.conftest import Sessions

TEXT = "FROM scratch\nCOPY <<EOT /x\nsaved\nEOT\nENV MARK=saved\n"
FORMATS: tuple[SaveFormat, ...] = get_args(SaveFormat)


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_image_is_the_same_when_pulled(
    builds: Builds, own_storage: Storage, tmp_path: Path, form: SaveFormat
) -> None:
    place = builds.build(TEXT).save(tmp_path / "saved", form)
    image_id = own_storage.buildah("pull", "--quiet", f"{form}:{place}").strip()
    container = own_storage.buildah("from", "--pull-never", image_id).strip()
    mounted = Path(own_storage.buildah("mount", container).strip())
    assert (mounted / "x").read_text(encoding="ascii") == "saved\n"
    assert "MARK=saved" in own_storage.buildah("inspect", image_id)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_an_archive_keeps_the_tag(
    builds: Builds, own_storage: Storage, tmp_path: Path, name: str, form: SaveFormat
) -> None:
    image = builds.build(TEXT, tags=(f"localhost/{name}:7",))
    place = image.save(tmp_path / "saved.tar", form)
    own_storage.buildah("pull", "--quiet", f"{form}:{place}")
    assert own_storage.image_names() == [f"localhost/{name}:7"]


DOCKER_ONLY = 'FROM scratch\nCOPY <<x /x\nx\nHEALTHCHECK CMD ["x"]\nSHELL ["/x"]\nONBUILD USER x\n'


def test_what_changing_the_format_drops_is_reported(builds: Builds, tmp_path: Path) -> None:
    image = builds.build(DOCKER_ONLY, name="probed")
    with pytest.warns(UserWarning, match=r"^saving probed ") as reported:
        image.save(tmp_path / "saved.tar")
    message = (
        "saving probed as oci-archive drops HEALTHCHECK, SHELL, ONBUILD: "
        'build it with format="oci", or save it as docker-archive'
    )
    assert [(str(one.message), one.filename) for one in reported] == [(message, __file__)]


@pytest.mark.parametrize(("built", "saved"), [("oci", "oci-archive"), ("docker", "docker-archive")])
def test_the_fields_that_only_docker_knows_are_kept(
    builds: Builds, own_storage: Storage, tmp_path: Path, built: ImageFormat, saved: SaveFormat
) -> None:
    place = builds.build(DOCKER_ONLY, format=built).save(tmp_path / "saved.tar", saved)
    image_id = own_storage.buildah("pull", "--quiet", f"{saved}:{place}").strip()
    config = json.loads(own_storage.buildah("inspect", "--type=image", image_id))["Docker"][
        "config"
    ]
    assert config["Healthcheck"]["Test"] == ["CMD", "x"]
    assert (config["Shell"], config["OnBuild"]) == (["/x"], ["USER x"])


def test_a_directory_to_save_in_has_to_be_there(builds: Builds, tmp_path: Path) -> None:
    image = builds.build("FROM scratch\n")
    with pytest.raises(UsageError, match=r"there is no directory /.*/none"):
        image.save(tmp_path / "none" / "image.tar")


def test_a_saved_archive_is_replaced(builds: Builds, tmp_path: Path) -> None:
    place = builds.build(TEXT).save(tmp_path / "saved.tar")
    second = builds.build(f"{TEXT}ENV SECOND=1\n").save(tmp_path / "saved.tar")
    assert place == second
    assert second.stat().st_size > 0


def test_a_manifest_list_is_saved_with_all_its_images(
    builds: Builds, session: Sessions, tmp_path: Path
) -> None:
    text = "FROM scratch\nARG TARGETARCH\nENV MARK=$TARGETARCH\nCOPY <<x /x\nx\n"
    image = builds.build(text, platform="linux/amd64,linux/arm64")
    place = image.save(tmp_path / "both", "oci")
    contexts = {"both": f"oci-layout://{place}"}
    with session() as others:
        marks = [
            others.build("FROM both\n", build_contexts=contexts, platform=one).config.env["MARK"]
            for one in ("linux/amd64", "linux/arm64")
        ]
    assert marks == ["amd64", "arm64"]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "docker-archive"])
def test_a_saved_manifest_list_holds_the_foreign_image_too(
    builds: Builds, own_storage: Storage, tmp_path: Path, form: SaveFormat
) -> None:
    image = builds.build(
        "FROM scratch\nARG TARGETARCH\nENV MARK=$TARGETARCH\nCOPY <<x /x\nx\n",
        platform="linux/amd64,linux/arm64",
    )
    place = image.save(tmp_path / "both", form)
    own_storage.buildah("pull", "--quiet", "--platform", "linux/arm64", f"{form}:{place}")
    (pulled,) = json.loads(own_storage.buildah("images", "--json"))
    assert "MARK=arm64" in own_storage.buildah("inspect", "--type", "image", pulled["id"])


def test_a_docker_archive_holds_one_image_only(builds: Builds, tmp_path: Path) -> None:
    image = builds.build(TEXT, platform="linux/amd64,linux/arm64")
    with pytest.raises(UsageError) as caught:
        image.save(tmp_path / "both.tar", "docker-archive")
    assert caught.value.message == "inline is a manifest list, which docker-archive cannot hold"


def test_an_image_is_handed_to_podman(session: Sessions, tmp_path: Path, name: str) -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    settings = tmp_path / "storage.conf"
    settings.write_text(
        '[storage]\ndriver = "overlay"\n'
        f'graphroot = "{tmp_path}/podman"\nrunroot = "{tmp_path}/podman-run"\n',
        encoding="ascii",
    )
    environment = {"CONTAINERS_STORAGE_CONF": str(settings)}
    with session(environment=environment) as builds:
        image = builds.build(TEXT, tags=(f"localhost/{name}:1",))
        there = image.load_into("podman")
        argv = ["podman", "image", "inspect", "--format", "{{.Config.Env}}", there]
        environment = {**builds.session.options.environment}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert there == f"localhost/{name}:1"
    assert "MARK=saved" in done.stdout, done.stderr


def test_an_engine_that_is_not_there(session: Sessions, storage: Storage, tmp_path: Path) -> None:
    alone = tmp_path / "bin"
    alone.mkdir()
    for directory in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        for program in Path(directory).iterdir():
            if program.name not in {"docker", "podman"} and not (alone / program.name).exists():
                (alone / program.name).symlink_to(program)
    with session(environment={"PATH": str(alone)}) as builds:
        with pytest.raises(EngineError) as caught:
            builds.build(TEXT).load_into("docker")
        assert caught.value.message == "cannot load inline into docker: docker is not installed"
        assert not list(builds.session.engine.tmpdir.rglob("load-*"))


def test_an_engine_that_does_not_answer(session: Sessions, tmp_path: Path) -> None:
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    path = f"{tmp_path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    with session(environment={"PATH": path}) as builds, pytest.raises(EngineError) as caught:
        builds.build(TEXT).load_into("docker")
    assert caught.value.message == (
        "cannot load inline into docker: Cannot connect to the Docker daemon"
    )


def test_a_layout_used_as_base_leaves_no_name(
    session: Sessions, own_storage: Storage, tmp_path: Path
) -> None:
    with session() as builds:
        place = builds.build(TEXT).save(tmp_path / "layout", "oci")
    contexts = {"saved": f"oci-layout://{place}"}
    with session(on=own_storage, cache="session") as builds:
        builds.build("FROM saved\nENV B=1\n", build_contexts=contexts)
    assert own_storage.image_names() == []
