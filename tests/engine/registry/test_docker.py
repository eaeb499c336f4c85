"""Images handed to a real Docker."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.image.built_image import Image
from tests.engine.building import Builds
from tests.engine.conformance.workbench import busybox, write_things
from tests.engine.registry.conftest import Sessions

TEXT = """\
FROM scratch
COPY bin /bin
COPY --chmod=600 --chown=5:6 <<EOT /x
saved
EOT
ENV MARK=saved
LABEL a="b c"
WORKDIR /work
EXPOSE 80
HEALTHCHECK CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $MARK; pwd; stat -c '%a %u %g' /x; cat /x"]
"""


class Docker:
    """The daemon that is the client's current context, and what was loaded into it."""

    def __init__(self) -> None:
        self._loaded: list[str] = []

    def load(self, image: Image) -> str:
        self._loaded.append(image.load_into("docker"))
        return self._loaded[-1]

    def __call__(self, *words: str) -> str:
        argv = ["docker", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def config(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("image", "inspect", name))[0]["Config"]
        return found

    def forget(self) -> None:
        for name in self._loaded:
            self("image", "rm", "--force", name)


@pytest.fixture
def docker() -> Iterator[Docker]:
    made = Docker()
    yield made
    made.forget()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    write_things(tmp_path, busybox())
    return tmp_path


def test_the_tag_is_the_name_there(
    builds: Builds, docker: Docker, context: Path, name: str
) -> None:
    image = builds.build(TEXT, context, tags=(f"localhost/{name}:1", f"localhost/{name}:2"))
    assert docker.load(image) == f"localhost/{name}:1"


@pytest.mark.parametrize("form", [None, "oci", "docker"])
def test_the_configuration_is_there(
    builds: Builds, docker: Docker, context: Path, form: str | None
) -> None:
    config = docker.config(docker.load(builds.build(TEXT, context, format=form)))
    assert "MARK=saved" in config["Env"]
    assert config["Labels"]["a"] == "b c"
    assert config["WorkingDir"] == "/work"
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["Entrypoint"] == ["/bin/sh", "-c"]
    if form != "oci":
        assert config["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]


def test_it_runs_there(builds: Builds, docker: Docker, context: Path) -> None:
    there = docker.load(builds.build(TEXT, context))
    said = docker("run", "--rm", "--network=none", there)
    assert said == "saved\n/work\n600 5 6\nsaved\n"


def test_an_image_without_tags_can_be_run_by_its_name(
    builds: Builds, docker: Docker, context: Path
) -> None:
    image = builds.build(TEXT, context)
    there = docker.load(image)
    assert docker("run", "--rm", "--network=none", there, "echo $MARK") == "saved\n"


def test_loading_it_again_is_harmless(builds: Builds, docker: Docker, context: Path) -> None:
    image = builds.build(TEXT, context)
    assert docker.load(image) == docker.load(image)


def test_the_daemon_is_the_one_of_docker_host(
    session: Sessions, context: Path, tmp_path: Path
) -> None:
    host = f"unix://{os.environ['ZLAYER_TEST_DOCKER']}"
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "config.json").write_text("{}", encoding="ascii")
    environment = {"DOCKER_CONFIG": str(plain), "DOCKER_HOST": host}
    with session(environment=environment) as builds:
        assert builds.build(TEXT, context).load_into("docker")
