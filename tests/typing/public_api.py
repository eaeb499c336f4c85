"""Uses of the public interface whose types ``mypy --strict`` checks; nothing here is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from typing_extensions import assert_type

from pytest_zlayer import (
    BuildError,
    BuildResult,
    Container,
    Image,
    ImagePath,
    ImageSpec,
    RunResult,
    Service,
    StepResult,
    image_fixture,
    ready,
    service_fixture,
)
from pytest_zlayer.dockerfile import Dockerfile, DockerfileError, expand, parse

api = image_fixture("services/api", scope="module", target="runtime", build_args={"PY": "3.12"})
spec = ImageSpec(context=Path("services/api"), tags=("localhost/api:1",), retries=2)


def an_image_has_facts(image: Image) -> None:
    assert_type(str(image), str)
    assert_type(image.id, str)
    assert_type(image.tags, tuple[str, ...])
    assert_type(image.size, int)
    assert_type(image.config.env, Mapping[str, str])
    assert_type(image.config.user, str)
    assert_type(image.build, BuildResult)
    assert_type(image.build.steps, tuple[StepResult, ...])
    assert_type(image.stage("builder"), Image)


def commands_have_results(image: Image) -> None:
    result = image.run(["id", "-un"], env={"A": "1"}, user="app", network="none", timeout=5)
    assert_type(result, RunResult)
    assert_type(result.exit_code, int)
    assert_type(result.stdout, str)
    with image.container() as container:
        assert_type(container, Container)
        assert_type(container.run("id", check=False), RunResult)
        assert_type(container.copy_out("/etc/passwd", "passwd"), Path)


def services_run(image: Image) -> None:
    with image.serve("web", port=80, ready=ready.all(ready.port(), ready.http("/"))) as service:
        assert_type(service, Service)
        assert_type(service.url("/x"), str)
        assert_type(service.address(80), tuple[str, int])
        assert_type(service.ports, Mapping[int, int])
        assert_type(service.exit_code, int | None)
        assert_type(service.run("id"), RunResult)
        service.wait(lambda one: one.running, timeout=5)


database = service_fixture("services/db", port=5432, ready=ready.log("ready"))


def files_are_paths(image: Image) -> None:
    path = image.path("/etc") / "passwd"
    assert_type(path, ImagePath)
    assert_type(path.read_text(), str)
    assert_type(path.read_bytes(), bytes)
    assert_type(path.stat().mode, int)
    assert_type([child.name for child in path.parent.iterdir()], list[str])


def fixtures_can_be_annotated(
    zlayer_image: Image,
    zlayer_images: Mapping[str, Image],
    zlayer_build: Callable[..., Image],
) -> None:
    assert_type(zlayer_images["db"], Image)
    assert_type(zlayer_build("services/api"), Image)
    assert zlayer_image.id


def a_failed_build_has_its_step(error: BuildError) -> None:
    assert_type(error.line, int)
    assert_type(error.exit_code, int | None)
    assert_type(error.tail, tuple[str, ...])


def a_dockerfile_can_be_read(text: str) -> None:
    try:
        dockerfile = parse(text, filename="Dockerfile")
    except DockerfileError as error:
        assert_type(error.message, str)
    else:
        assert_type(dockerfile, Dockerfile)
    assert_type(expand("${A:-b}", {"A": ""}, escape="`"), str)
