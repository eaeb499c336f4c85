"""Base images that are planned with before they are here, and pulled only when they are needed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands.skopeo import Skopeo, find_skopeo
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.builder.store.base_images import BaseImages
from pytest_zlayer.builder.store.described_images import describe_image
from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.dockerfile.values.platforms import host_platform
from pytest_zlayer.events import Pulling, PullProgress
from tests.engine.building import Builds
from tests.engine.conftest import BUSYBOX
from tests.engine.remote.conftest import Shared, of, problems

AMD64 = host_platform("x86_64")


@pytest.fixture
def base(shared: Shared) -> str:
    """An image of the registry that no machine has yet."""
    return put(shared, "base:1", layers=2)


def put(shared: Shared, name: str, *, mark: str = "1", layers: int = 1) -> str:
    repository = f"bases-{secrets.token_hex(4)}/{name}"
    shared.registry.put_image(repository, mark=mark, layers=layers)
    return f"{shared.proxy.address}/{repository}"


def layers_of(shared: Shared, base: str) -> list[str]:
    """The requests for layers of a base image."""
    name = base.partition("/")[2]
    digests = shared.registry.layers(name)
    return [one for one in of(shared.proxy, "GET") if one.rpartition("/")[2] in digests]


def pulled(builds: Builds) -> list[str]:
    return [one.reference for one in builds.events if isinstance(one, Pulling)]


def test_no_byte_of_the_base_of_a_stage_is_requested_that_nobody_needs(
    shared: Shared, base: str
) -> None:
    text = f"FROM {base} AS builder\nCOPY data /made\nFROM {BUSYBOX}\nCOPY --from=builder /made /\n"
    with shared.session(cache_to=shared.place) as first:
        image = first.build(text, shared.context).id
    assert len(layers_of(shared, base)) == 2
    shared.proxy.requests.clear()
    with shared.session(cache_from=(shared.place,)) as second:
        assert second.build(text, shared.context).id == image
        assert second.executed() == []
        assert problems(second) == []
    assert layers_of(shared, base) == []
    assert pulled(second) == []


def test_what_is_fetched_gets_its_base(shared: Shared, base: str) -> None:
    text = f"FROM {base}\nCOPY data /\n"
    with shared.session(cache_to=shared.place) as first:
        image = first.build(text, shared.context).id
    with shared.session(cache_from=(shared.place,)) as second:
        made = second.build(text, shared.context)
        assert made.path("/data").read_text() == "hello\n"
        assert made.path("/mark").exists()
        assert made.id == image
        assert second.executed() == []
        assert problems(second) == []
    assert pulled(second) == [base]


def test_what_a_described_base_has_to_bring_is_known(shared: Shared, base: str) -> None:
    name = base.partition("/")[2]
    sizes = shared.registry.layer_sizes(name)
    text = f"FROM {base} AS one\nLABEL a=b\nFROM {BUSYBOX}\nCOPY --from=one /mark /\n"
    with shared.session(cache_from=(shared.place,)) as builds:
        builds.build(text, shared.context)
    assert pulled(builds) == [base]
    told = [one.total for one in builds.events if isinstance(one, PullProgress)]
    assert told == [sum(sizes)] * 2


def test_what_is_cached_here_needs_no_base(shared: Shared, base: str) -> None:
    text = f"FROM {base}\nCOPY data /\n"
    machine = shared.machine()
    with shared.session(machine) as first:
        image = first.build(text, shared.context).id
    machine.storage.buildah("rmi", base)
    shared.proxy.requests.clear()
    with shared.session(machine) as again:
        assert again.build(text, shared.context).id == image
        assert again.executed() == []
    assert layers_of(shared, base) == []
    assert pulled(again) == []


def test_a_step_that_is_not_cached_has_its_base_pulled(shared: Shared, base: str) -> None:
    with shared.session(cache_from=(shared.place,)) as builds:
        made = builds.build(f"FROM {base}\nCOPY data /\n", shared.context)
        assert made.path("/data").read_text() == "hello\n"
        assert made.path("/mark").exists()
    assert pulled(builds) == [base]


def test_an_image_of_metadata_alone_has_its_base(shared: Shared, base: str) -> None:
    machine = shared.machine()
    with shared.session(machine) as first:
        first.build(f"FROM {base}\nLABEL a=b\n", shared.context)
    machine.storage.buildah("rmi", base)
    with shared.session(machine) as again:  # the image with the other label may be cached
        made = again.build(f"FROM {base}\nLABEL a=c\n", shared.context)
        assert made.path("/mark").exists()
    assert pulled(again) == [base]


def test_stages_and_images_that_are_copied_from_are_pulled(shared: Shared, base: str) -> None:
    other = put(shared, "other:1")
    copies = f"COPY --from=stage /mark /1\nCOPY --from={other} /mark /2\n"
    text = f"FROM {base} AS stage\nLABEL a=b\nFROM {BUSYBOX}\n{copies}"
    with shared.session(cache_from=(shared.place,)) as builds:
        made = builds.build(text, shared.context)
        assert made.path("/1").exists()
        assert made.path("/2").exists()
    assert sorted(pulled(builds)) == sorted([base, other])


def test_a_pull_that_fails_late_is_told_with_the_line_of_its_from(
    shared: Shared, base: str
) -> None:
    # What describes it is answered: manifest, manifest, configuration.
    shared.proxy.faults, shared.proxy.always = [None, None, None], 404
    text = f"# a comment\nFROM {base} AS one\nFROM {BUSYBOX}\nCOPY --from=one /mark /\n"
    with (
        shared.session(cache_from=(shared.place,)) as builds,
        pytest.raises(DockerfileError, match="no such base image") as caught,
    ):
        builds.build(text, shared.context)
    assert caught.value.diagnostics[0].span.line == 2


@contextmanager
def engine_of(shared: Shared) -> Iterator[tuple[Engine, Skopeo]]:
    storage = shared.machine().storage
    environment = {**storage.environment, "CONTAINERS_REGISTRIES_CONF": str(shared.conf)}
    engine = storage.open(environment=environment)
    try:
        yield engine, find_skopeo(engine.process, environment, authfile=None)
    finally:
        engine.close()


def test_the_right_image_of_a_list_is_described(shared: Shared) -> None:
    name = f"lists-{secrets.token_hex(4)}/list:1"
    shared.registry.put_list(name, "linux/arm64", "linux/amd64")
    reference = f"{shared.proxy.address}/{name}"
    with engine_of(shared) as (engine, skopeo):
        described = describe_image(skopeo, reference, AMD64)
        assert described is not None
        assert described.config["architecture"] == "amd64"
        assert engine.registries.pull(reference) == described.id
        assert engine.images.inspect(reference).config == described.config


def test_where_a_list_leaves_a_choice_nothing_is_described(shared: Shared) -> None:
    name = f"lists-{secrets.token_hex(4)}/list:1"
    shared.registry.put_list(name, "linux/amd64", "linux/amd64")
    with engine_of(shared) as (_, skopeo):
        assert describe_image(skopeo, f"{shared.proxy.address}/{name}", AMD64) is None


def test_a_tag_that_moves_between_planning_and_pulling_changes_nothing(
    shared: Shared, base: str
) -> None:
    with engine_of(shared) as (engine, skopeo):
        bases = BaseImages(
            engine,
            registry=None,
            resolve=lambda _: None,
            pull=lambda name, _, mode, platform, __: engine.registries.pull(
                name, policy=mode, platform=platform
            ),
            describe=lambda name, platform: describe_image(skopeo, name, platform),
        )
        found = bases.get(base, "missing", None, nullcontext)
        assert not engine.images.exists(found.id)
        shared.registry.put_image(base.partition("/")[2], mark="2")
        engine.images.bring(found.id)
        assert engine.images.exists(found.id)


def test_without_skopeo_bases_are_pulled_first(shared: Shared, base: str, tmp_path: Path) -> None:
    with shared.session(
        cache_from=(shared.place,), environment=shared.without("skopeo", tmp_path)
    ) as builds:
        builds.build(f"FROM {base}\nCOPY data /\n", shared.context)
        assert pulled(builds) == [base]
