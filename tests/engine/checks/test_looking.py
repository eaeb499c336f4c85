"""Looking into a real image: differences, files, waste, snapshots, exports, assertions."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer import Image, UsageError
from pytest_zlayer.builder.image import layer_files
from tests.engine.building import Builds, building, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.test_surface import Project

TEXT = f"""\
FROM {BUSYBOX} AS lower
RUN head -c 5000 /dev/zero > /big && mkdir /d && echo one > /d/one && echo two > /d/two
FROM lower
RUN rm /big && echo 1 > /d/one && chmod 600 /d/two
RUN rm -r /d && ln /bin/busybox /hard && ln -s hard /soft && mkdir /app && chown app:app /app
ENV A=1
CMD ["serve"]
USER app
"""
APK = "P:musl\nV:1.2\nA:x86_64\n\n"


@pytest.fixture(scope="module")
def builds(storage: Storage, busybox: str) -> Iterator[Builds]:
    with building(storage) as made:
        yield made


@pytest.fixture(scope="module")
def image(builds: Builds) -> Image:
    return builds.build(TEXT)


def test_the_difference_of_two_images(builds: Builds, image: Image) -> None:
    base = builds.build(f"FROM {BUSYBOX}\nRUN true")
    diff = base.diff(image)
    assert {one.path for one in diff.added} == {"/app", "/hard", "/soft"}
    assert diff.removed == ()
    assert set(diff.config) == {"env", "cmd", "user"}
    app = next(one for one in diff.added if one.path == "/app")
    assert (app.type, app.uid, app.gid) == ("directory", 1000, 1000)
    assert [one.path for one in image.diff(base).removed] == ["/app", "/hard", "/soft"]
    assert not image.diff(builds.build(TEXT, labels={}))


def test_an_image_is_compared_with_images_only(image: Image) -> None:
    with pytest.raises(UsageError, match="only be compared with an image, not with 3"):
        image.diff(3)


def test_a_stage_and_its_image_differ(image: Image) -> None:
    diff = image.stage("lower").diff(image)
    assert {"/big", "/d", "/d/one", "/d/two"} == {one.path for one in diff.removed}


def test_what_is_wasted_is_read_in_place(image: Image) -> None:
    found = {(one.path, one.layer) for one in image.wasted}
    assert {("/big", 2), ("/d/one", 2), ("/d/two", 2), ("/d/one", 3)} <= found
    assert image.wasted_size == sum(one.size for one in image.wasted)
    assert image.wasted_size >= 5000
    image.assert_max_wasted("10MB")  # a hard link takes its file up with it


def test_what_is_wasted_is_read_from_a_copy_elsewhere(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = builds.build(TEXT, name="here")
    expected = here.wasted
    monkeypatch.setattr(layer_files, "read_layer_files", lambda *_: None)
    assert builds.build(TEXT, name="there").wasted == expected


def test_files_are_found_by_patterns(image: Image) -> None:
    assert [str(one) for one in image.files("etc/*")] == ["/etc/group", "/etc/passwd"]
    assert "/bin/sh" in {str(one) for one in image.files()}
    assert {str(one) for one in image.files("**/busybox")} == {"/bin/busybox"}
    assert list(image.files("**/none")) == []


def test_the_configuration_as_it_is_stored(image: Image) -> None:
    raw = image.raw_config
    assert raw["config"]["Cmd"] == ["serve"]
    assert "A=1" in raw["config"]["Env"]
    raw["config"]["Cmd"].append("x")
    assert image.raw_config["config"]["Cmd"] == ["serve"]
    assert image.config.cmd == ["serve"]
    assert image.config.entrypoint is None


def test_packages_of_an_image_and_of_a_container(builds: Builds, tmp_path: Path) -> None:
    context = write_files(tmp_path, {"installed": APK})
    made = builds.build(f"FROM {BUSYBOX}\nCOPY installed /lib/apk/db/", context)
    made.assert_package("musl", "1.2")
    with made.container() as container:
        container.run(["rm", "-r", "/lib/apk"])
        with pytest.raises(AssertionError, match="package musl is not installed"):
            container.assert_package("musl")


def test_a_snapshot_holds_what_the_dockerfile_says(image: Image) -> None:
    found = image.to_dict()
    assert found["config"]["cmd"] == ["serve"]
    assert found["history"][-1] == "USER app"
    assert json.loads(json.dumps(found)) == found
    assert image.to_dict(files=True)["files"]["/soft"] == {
        "type": "symlink",
        "mode": "0777",
        "uid": 0,
        "gid": 0,
        "target": "hard",
    }


def test_files_are_exported_as_a_directory(image: Image, tmp_path: Path) -> None:
    target = image.export(tmp_path / "out/root")
    assert target == tmp_path / "out/root"
    assert (target / "etc/passwd").read_text().startswith("root:")
    assert os.readlink(target / "soft") == "hard"
    assert (target / "hard").samefile(target / "bin/busybox")
    image.export(target)  # once more, over what is there
    single = image.export(tmp_path / "single", "/etc/passwd")
    assert os.listdir(single) == ["passwd"]
    assert sorted(os.listdir(image.export(tmp_path / "etc", "/etc"))) == ["group", "passwd"]


@pytest.mark.parametrize("name", ["root.tar", "root.tar.gz"])
def test_files_are_exported_as_an_archive(image: Image, tmp_path: Path, name: str) -> None:
    with tarfile.open(image.export(tmp_path / name)) as tar:
        members = {one.name: one for one in tar}
        assert members["app"].uid == 1000
        assert members["soft"].linkname == "hard"
        hard, busybox = members["hard"], members["bin/busybox"]
        assert hard.islnk() != busybox.islnk()
        assert tar.extractfile("etc/passwd").read().startswith(b"root:")
    assert os.listdir(tmp_path) == [name]


def test_what_is_not_there_cannot_be_exported(image: Image, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file in .*: /none"):
        image.export(tmp_path / "x", "/none")
    write_files(tmp_path, {"file": ""})
    with pytest.raises(UsageError, match="is in the way"):
        image.export(tmp_path / "file")


def test_assertions_on_images_and_containers(image: Image) -> None:
    image.assert_directory("/app", owner="app", group="app")
    image.assert_link("/soft", "hard")
    image.assert_runs(["id", "-un"], stdout="app\n")
    image.assert_env(A="1")
    image.assert_max_layers(4)
    with pytest.raises(AssertionError, match=r"near: whoami|no whoam on PATH"):
        image.assert_runs(["whoam"])
    with image.container() as container:
        container.assert_runs(["sh", "-c", "echo hi > /tmp/hello"])
        container.assert_file("/tmp/hello", equals="hi\n", owner="app")
        with pytest.raises(AssertionError, match=r"there is no file /tmp/helo\n  near: /tmp/hello"):
            container.assert_file("/tmp/helo")


def test_the_command_line_writes_files_instead_of_an_image(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    project = Project(write_files(tmp_path / "p", {"Dockerfile": f"FROM {BUSYBOX}"}), own_storage)
    project.run("pytest_zlayer", "build", ".", "--output", "out", "--progress=quiet")
    assert (project.folder / "out/bin/busybox").is_file()
    project.run("pytest_zlayer", "build", ".", "-o", "type=tar,dest=out.tar", "--progress=quiet")
    assert tarfile.is_tarfile(project.folder / "out.tar")
    assert own_storage.image_names() == [BUSYBOX]
    reported = project.run("pytest_zlayer", "build", ".", "-o", "type=oci,dest=x", code=2)
    assert "--output: expected DIR, FILE.tar or type=local|tar,dest=PATH" in reported


ODD = [
    ({"cmd": 3}, "cmd must be a list of texts, not 3"),
    ({"cmd": ["echo", 3]}, "cmd must be a list of texts, not ['echo', 3]"),
    ({"user": 1000}, "user must be text, not 1000"),
    ({"workdir": b"/"}, "workdir must be a path, not b'/'"),
    ({"workdir": "/a\0"}, "workdir must not contain a NUL character"),
    ({"env": {"A": None}}, "env['A'] must be text, not None"),
    ({"timeout": "3"}, "timeout must be a number of seconds, not '3'"),
]


@pytest.mark.parametrize(("given", "message"), ODD)
def test_a_run_says_which_argument_is_wrong(
    image: Image, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        image.run(**{"cmd": ["true"], **given})
    assert caught.value.message == message


@pytest.mark.parametrize("path", [3, None, b"/", "a\0b"])
def test_a_path_of_an_image_is_text_or_a_path(image: Image, path: Any) -> None:
    with pytest.raises(UsageError, match=r"^path must "):
        image.path(path)
    assert str(image.path(Path("/etc/passwd"))) == "/etc/passwd"
