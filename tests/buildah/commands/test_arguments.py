"""Command lines, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.arguments import RunOptions
from pytest_zlayer.buildah.run_request import Volume
from pytest_zlayer.errors import UsageError

HEX = "0123456789abcdef" * 4


def options(**changes: object) -> RunOptions:
    fields: dict[str, object] = {
        "env": {}, "user": "", "workdir": "", "volumes": (), "network": "default",
        "isolation": "chroot", "runtime": None, "runtime_root": None,
    }  # fmt: skip
    return RunOptions(**{**fields, **changes})  # type: ignore[arg-type]


def test_plain_run() -> None:
    assert arguments.run("c", ["ls", "-l"], options()) == [
        "run", "--isolation", "chroot", "--network", "host", "--", "c", "ls", "-l",
    ]  # fmt: skip


def test_run_with_everything() -> None:
    volumes = [Volume(Path("/src"), "/dst", readonly=True), Volume(Path("/a"), "/b")]
    line = arguments.run(
        "c",
        ["true"],
        options(
            env={"A": "b c"}, user="0:0", workdir="/w", volumes=volumes, network="none",
            isolation="oci", runtime="runc", runtime_root=Path("/t/runtime"),
        ),
    )  # fmt: skip
    assert line == [
        "run", "--isolation", "oci", "--runtime", "runc", "--runtime-flag", "root=/t/runtime",
        "--network", "none", "--env", "A=b c", "--user", "0:0", "--workingdir", "/w",
        "--volume", "/src:/dst:ro", "--volume", "/a:/b:rw", "--", "c", "true",
    ]  # fmt: skip


def test_chroot_is_never_given_a_network_it_refuses() -> None:
    assert "none" not in arguments.run("c", ["x"], options(network="none"))


def test_a_volume_in_the_place_of_the_hosts_file_is_the_only_one_there() -> None:
    volumes = [Volume(Path("/mine"), "/etc/hosts")]
    line = arguments.run("c1", ["true"], options(volumes=volumes))
    assert line[line.index("--no-hosts") + 1 :][:2] == ["--volume", "/mine:/etc/hosts:rw"]


def test_pull() -> None:
    line = arguments.pull("docker.io/library/a:1", policy="missing", platform=None)
    assert line == ["pull", "--policy", "missing", "docker.io/library/a:1"]


def test_pull_for_a_platform() -> None:
    line = arguments.pull("a", policy="always", platform="linux/arm64")
    assert line == ["pull", "--policy", "always", "--platform", "linux/arm64", "a"]


@pytest.mark.parametrize(
    "name",
    [
        "a", "a:1", "a/b", "localhost/a_b/c-d:V1.2", "localhost:5000/a", "127.0.0.1:5000/a/b:1",
        f"a@sha256:{HEX}", f"docker.io/library/a:1@sha256:{HEX}", HEX,
    ],
)  # fmt: skip
def test_image_names(name: str) -> None:
    assert arguments.image(name) == name


def test_image_id_with_its_algorithm() -> None:
    assert arguments.image(f"sha256:{HEX}") == HEX


@pytest.mark.parametrize(
    "name",
    ["", " ", "-x", "--help", "a b", "a\nb", "dir:/p", "oci:/p", "../x", "/x", "x:-t", "x:", "A/B",
     "a@sha256:12", "a//b", "scratch\n"],
)  # fmt: skip
def test_what_is_no_image_name(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.image(name)
    assert str(caught.value) == f"{name!r} is not an image name"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "--help", "a\n"])
def test_what_is_no_container_name(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.container(name)
    assert str(caught.value) == f"{name!r} is not a container name"


def test_transports_are_for_pulling_only() -> None:
    assert arguments.source("oci-archive:/a.tar") == "oci-archive:/a.tar"


def test_path_with_a_colon_cannot_be_mounted() -> None:
    with pytest.raises(UsageError) as caught:
        Volume(Path("/a:b"), "/c").argument()
    assert str(caught.value) == "a path with a colon cannot be mounted: /a:b at /c"


def test_passwords_are_masked() -> None:
    line = ["git", "clone", "https://user:pw@host/x.git", "plain"]
    assert arguments.masked(line) == ("git", "clone", "https://***@host/x.git", "plain")
