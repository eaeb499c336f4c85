"""Images that need other images: built in the order of their needs, each once."""

from __future__ import annotations

import pytest

from pytest_zlayer import ImageSpec, UsageError
from pytest_zlayer.events import BuildStarted
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX, Storage


def test_what_is_needed_is_built_first_and_once(storage: Storage, busybox: str) -> None:
    lowest = ImageSpec(text=f"FROM {BUSYBOX}\nRUN echo low > /low\nENV LOW=1", name="lowest")
    with building(storage) as builds:
        one = builds.build("RUN cat /low > /one", name="one", base=lowest)
        two = builds.build(
            f"FROM {BUSYBOX}\nCOPY --from=tools /low /two",
            name="two",
            build_contexts={"tools": lowest},
        )
        assert one.path("/one").read_text() == "low\n"
        assert one.config.env["LOW"] == "1"
        assert two.path("/two").read_text() == "low\n"
        started = [one.image for one in builds.events if isinstance(one, BuildStarted)]
    assert started.count("lowest") == 1
    assert storage.leftovers()["containers"] == []


def test_images_on_images_are_built_ahead(storage: Storage, busybox: str) -> None:
    lowest = ImageSpec(text=f"FROM {BUSYBOX}\nRUN echo ahead > /low", name="lowest")
    top = ImageSpec(text="RUN cat /low > /top", name="top", base=lowest)
    with building(storage) as builds:
        builds.session.prebuild([top, lowest])
        assert builds.session.build(top).path("/top").read_text() == "ahead\n"
    with building(storage) as builds:
        builds.session.prebuild([top], layers_only=True)
        assert builds.session.build(top).build.cached


def test_a_stage_that_the_target_does_not_need_is_an_image_too(
    storage: Storage, busybox: str
) -> None:
    text = f"FROM {BUSYBOX} AS other\nRUN echo other > /other\nFROM {BUSYBOX} AS last\n"
    with building(storage) as builds:
        image = builds.build(text)
        other = image.stage("other")
        assert other.path("/other").read_text() == "other\n"
        assert image.stage("other") is other
        with pytest.raises(UsageError, match="has no stage 'none'"):
            image.stage("none")
        with pytest.raises(UsageError, match="has no stage '9999"):
            image.stage("9" * 5000)
