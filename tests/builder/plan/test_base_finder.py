"""Base images: each looked up once, with a suggestion for a name that nobody has."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.plan.base_finder import BaseFinder, FoundInputs
from pytest_zlayer.builder.store.base_images import BaseImage, BaseImageError, Failing
from pytest_zlayer.dockerfile import DockerfileError, parse
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, resolve_stages
from pytest_zlayer.dockerfile.values.platforms import Platform
from pytest_zlayer.errors import UsageError

AMD64 = Platform("linux", "amd64")


class Bases:
    """Looks nothing up: every name is an image, or there is the error given for it."""

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors
        self.asked: list[tuple[str, str, str | None]] = []
        self.later: list[str] = []
        self.failing: list[Failing] = []

    def get(
        self, reference: str, mode: str, platform: str | None, failing: Failing | None = None
    ) -> BaseImage:
        self.asked.append((reference, mode, platform))
        if failing is not None:
            self.later.append(reference)
            self.failing.append(failing)
        if reference in self.errors:
            raise self.errors[reference]
        return BaseImage(f"id of {reference}", ImageConfig(), Chain())


def finder(bases: Bases, platform: str | None = None) -> BaseFinder:
    return BaseFinder(cast("Any", bases), "missing", platform)


def graph_of(text: str, *contexts: str) -> StageGraph:
    return resolve_stages(
        parse(text), build_args={}, target=None, platform=AMD64, build_platform=AMD64,
        contexts=contexts,
    )  # fmt: skip


def sources(reference: str | None) -> Any:
    return SimpleNamespace(image_reference=lambda _: reference, select=None, digest=None)


def test_each_image_and_platform_is_looked_up_once() -> None:
    bases = Bases()
    found = finder(bases, "linux/amd64")
    for platform in (None, "linux/amd64", "linux/arm64", None):
        assert found.image("x", platform).id == "id of x"
    assert bases.asked == [("x", "missing", "linux/amd64"), ("x", "missing", "linux/arm64")]


def test_base_of_a_stage_with_its_platform() -> None:
    bases = Bases()
    graph = graph_of("FROM --platform=linux/arm64 base\n")
    inputs = FoundInputs(finder(bases), sources(None), graph)
    assert inputs.base_image(graph, 0).id == "id of base"
    assert bases.asked == [("base", "missing", graph.nodes[0].base.platform)]
    assert graph.nodes[0].base.platform
    assert inputs.image_id("other") == "id of other"


def test_what_cached_layers_may_spare_is_pulled_later() -> None:
    graph = graph_of("FROM under AS below\nFROM aside AS other\nFROM below\n")
    asked: list[tuple[str, bool]] = []

    def may_spare(reference: str, needed: bool) -> bool:
        asked.append((reference, needed))
        return not needed

    bases = Bases()
    found = BaseFinder(cast("Any", bases), "missing", None, may_spare=may_spare)
    inputs = FoundInputs(found, sources(None), graph)
    inputs.base_image(graph, 0)
    inputs.base_image(graph, 1)
    inputs.image_id("copied")
    assert asked == [("under", True), ("aside", False), ("copied", False)]
    assert bases.later == ["aside", "copied"]


def test_a_pull_that_fails_later_is_reported_where_the_image_is_named() -> None:
    graph = graph_of("FROM scratch\nFROM aside\n")
    bases = Bases()
    found = BaseFinder(cast("Any", bases), "missing", None, may_spare=lambda *_: True)
    FoundInputs(found, sources(None), graph).base_image(graph, 1)
    (failing,) = bases.failing
    with pytest.raises(DockerfileError) as caught, failing():
        raise BaseImageError("nowhere")
    assert str(caught.value).splitlines()[0] == "Dockerfile:2:6: nowhere"


def test_base_that_is_a_build_context() -> None:
    graph = graph_of("FROM here\n", "here")
    inputs = FoundInputs(finder(Bases()), sources("meant"), graph)
    assert inputs.base_image(graph, 0).id == "id of meant"


def test_base_that_is_a_directory() -> None:
    graph = graph_of("FROM here\n", "here")
    with pytest.raises(UsageError) as caught:
        FoundInputs(finder(Bases()), sources(None), graph).base_image(graph, 0)
    assert str(caught.value) == (
        "build context here is a directory and cannot be a base image\n"
        "hint: give it as docker-image://REFERENCE or oci-layout://PATH"
    )


@pytest.mark.parametrize(
    "error",
    [
        BaseImageError("nowhere"),
        EngineError(Failure("permanent", "nowhere")),
        EngineError(Failure("transient", "nowhere")),
    ],
)
def test_a_name_that_may_be_misspelt(error: Exception) -> None:
    graph = graph_of("FROM scratch AS builder\nFROM biulder\n")
    found = finder(Bases(biulder=error))
    inputs = FoundInputs(found, sources(None), graph)
    for look_up in (partial(found.source, graph), inputs.image_id):
        with pytest.raises(BaseImageError) as caught:
            look_up("biulder")
        assert str(caught.value) == "nowhere\nhint: did you mean builder?"


@pytest.mark.parametrize("name", ["biulder", "unlike"])
def test_errors_that_have_nothing_to_do_with_the_name(name: str) -> None:
    error = EngineError(Failure("environment", "the disk is full"))
    with pytest.raises(EngineError) as caught:
        finder(Bases(**{name: error})).source(graph_of("FROM scratch AS builder\n"), name)
    assert caught.value is error


def test_an_unknown_name_that_is_like_no_other() -> None:
    error = BaseImageError("nowhere")
    with pytest.raises(BaseImageError) as caught:
        finder(Bases(unlike=error)).source(graph_of("FROM scratch AS builder\n"), "unlike")
    assert caught.value is error
