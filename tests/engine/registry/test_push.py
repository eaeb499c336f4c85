"""Images on their way to a registry: tags, digests, manifest lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.errors import UsageError
from tests.engine.building import Builds
from tests.engine.conftest import Storage
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import DOCKER_MANIFEST, MANIFEST, Proxy, Registry

TEXT = "FROM scratch\nCOPY <<EOT /x\nx\nEOT\nENV MARK=pushed\n"


def test_a_push_without_destinations_pushes_every_tag(
    builds: Builds, registry: Registry, name: str
) -> None:
    tags = tuple(f"{registry.address}/{name}:{tag}" for tag in ("1", "1.2"))
    digests = builds.build(TEXT, tags=tags).push()
    assert digests == (registry.digest(f"{name}:1"), registry.digest(f"{name}:1.2"))


def test_an_image_without_tags_needs_a_destination(builds: Builds) -> None:
    with pytest.raises(UsageError) as caught:
        builds.build(TEXT).push()
    assert caught.value.message == "inline has no tags: say where to push it"


def test_what_was_pushed_comes_back_by_tag_and_by_digest(
    builds: Builds, session: Sessions, registry: Registry, name: str
) -> None:
    place = f"{registry.address}/{name}"
    (digest,) = builds.build(TEXT).push(f"{place}:1")
    with session(pull="always") as others:
        by_tag = others.build(f"FROM {place}:1\n")
        by_digest = others.build(f"FROM {place}@{digest}\nENV B=1\n")
        assert by_tag.config.env["MARK"] == by_digest.config.env["MARK"] == "pushed"
        assert by_digest.path("/x").read_text() == "x\n"


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_the_format_of_the_image_arrives(
    builds: Builds, registry: Registry, name: str, form: str
) -> None:
    builds.build(TEXT, format=form).push(f"{registry.address}/{name}:1")
    kind = json.loads(registry.get(name, "1") or b"{}")["mediaType"]
    assert kind == {"oci": MANIFEST, "docker": DOCKER_MANIFEST}[form]


def test_what_was_pushed_is_read_back(builds: Builds, name: str, hub: Proxy) -> None:
    (digest,) = builds.build(TEXT).push(f"{hub.address}/{name}:1")
    assert hub.manifests()[-1] == f"GET /v2/{name}/manifests/{digest}"


def test_a_login_page_that_takes_everything_is_not_believed(
    builds: Builds, name: str, hub: Proxy
) -> None:
    hub.always = "html"
    with pytest.raises(EngineError) as caught:
        builds.build(TEXT).push(f"{hub.address}/{name}:1")
    assert caught.value.message.startswith(
        f"cannot push {hub.address}/{name}:1: what was pushed cannot be read back: "
        "something other than a registry answered: "
    )
    assert caught.value.hint == "a proxy or login page may stand in between"


def test_a_registry_that_loses_what_it_took_is_not_believed(
    builds: Builds, name: str, hub: Proxy
) -> None:
    hub.always, hub.only = 404, "GET"
    with pytest.raises(EngineError) as caught:
        builds.build(TEXT).push(f"{hub.address}/{name}:1")
    assert caught.value.message.startswith(
        f"cannot push {hub.address}/{name}:1: what was pushed cannot be read back: "
        "no such image there: "
    )


def test_a_manifest_list_is_pushed_with_the_images_of_all_platforms(
    builds: Builds, session: Sessions, registry: Registry, name: str
) -> None:
    place = f"{registry.address}/{name}:1"
    image = builds.build(
        "FROM scratch\nARG TARGETARCH\nENV MARK=$TARGETARCH\nCOPY <<EOT /x\nx\nEOT\n",
        platform="linux/amd64,linux/arm64",
        tags=(place,),
    )
    assert image.push() == (registry.digest(f"{name}:1"),)
    with session(pull="always") as others:
        marks = [
            others.build(f"FROM {place}\n", platform=platform).config.env["MARK"]
            for platform in ("linux/amd64", "linux/arm64")
        ]
    assert marks == ["amd64", "arm64"]


def test_a_login_page_that_takes_a_manifest_list_is_not_believed(
    builds: Builds, name: str, hub: Proxy
) -> None:
    image = builds.build(TEXT, platform="linux/amd64,linux/arm64")
    hub.always = "html"
    with pytest.raises(EngineError, match="cannot be read back"):
        image.push(f"{hub.address}/{name}:1")


def test_a_push_leaves_nothing_in_the_store(
    session: Sessions, own_storage: Storage, registry: Registry, name: str
) -> None:
    with session(on=own_storage, cache="session") as builds:
        builds.build(TEXT).push(f"{registry.address}/{name}:1")
        names = own_storage.image_names()
        assert not [one for one in names if "check-" in one]
    assert own_storage.image_names() == []


def test_lists_can_be_made_of_images_built_apart(
    builds: Builds, registry: Registry, name: str, tmp_path: Path
) -> None:
    place = f"{registry.address}/{name}"
    here = builds.build(TEXT, platform="linux/amd64")
    registry.put_image(f"{name}:arm", platform="linux/arm64")
    lists = builds.session.manifest_lists
    listed = f"localhost/{name}:list"
    lists.create(listed, here)
    lists.add(listed, f"docker://{place}:arm")
    digests = lists.push(listed, f"{place}:both")
    assert digests == (registry.digest(f"{name}:both"),)
    manifests = json.loads(registry.get(name, "both") or b"{}")["manifests"]
    assert [one["platform"]["architecture"] for one in manifests] == ["amd64", "arm64"]


def test_a_list_made_by_hand_is_removed_with_the_session(
    session: Sessions, own_storage: Storage, name: str
) -> None:
    with session(on=own_storage, cache="session") as builds:
        image = builds.build(TEXT)
        builds.session.manifest_lists.create(f"localhost/{name}:list", image)
    assert own_storage.image_names() == []
