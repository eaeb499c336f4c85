"""Images that several threads read are mounted once, and nobody waits for one who was stopped."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.store.mounted_images import SharedImages
from pytest_zlayer.waiting import in_background
from tests.interruptions import interruptions


class FakeEngine:
    """Mounts at once: a real one would take minutes for as many images as are mounted here."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.removed: list[str] = []
        self.error: EngineError | None = None

    def from_image(self, image: str) -> str:
        if self.error is not None:
            raise self.error
        self.made.append(f"{image}-{len(self.made)}")
        return self.made[-1]

    def mount(self, container: str) -> Any:
        return f"files of {container}"

    def remove_containers(self, *containers: str) -> None:
        self.removed += containers


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def images(engine: FakeEngine) -> SharedImages:
    return SharedImages(engine)  # type: ignore[arg-type]


def test_image_is_mounted_once(images: SharedImages, engine: FakeEngine) -> None:
    first, second = images.take("a", exact=False), images.take("a", exact=False)
    assert first is second
    assert engine.made == ["a-0"]
    assert first.result() == "files of a-0"
    images.give_back([first, second])
    images.close()
    assert engine.removed == ["a-0"]


def test_image_that_could_not_be_mounted_is_tried_again(
    images: SharedImages, engine: FakeEngine
) -> None:
    engine.error = EngineError(Failure("environment", "no room"))
    with pytest.raises(EngineError, match="no room"):
        images.take("a", exact=False)
    engine.error = None
    assert images.take("a", exact=False).container == "a-0"


def test_who_is_interrupted_anywhere_leaves_nobody_waiting(
    images: SharedImages, engine: FakeEngine
) -> None:
    numbers = iter(range(100_000))
    image = "0"

    def take() -> None:
        images.take(image, exact=False)

    for where in interruptions(take):
        other = in_background(lambda image=image: images.take(image, exact=False), "other")
        mounted = other.result(90)
        assert mounted.result() == f"files of {mounted.container}", where
        assert mounted.container not in engine.removed, where
        image = str(next(numbers))
    images.close()
