"""What a session asks the program that builds: pytest's hooks, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHooks:
    """What a session asks the program around it.

    Attributes:
        resolve_base: another reference for a base image, or ``None``.
        before_build: called with each declaration before it is built.
        retry: whether to retry ``(step, attempt, error)``; ``None``: the default decides.
        image_built: called with each declaration and its image.
    """

    resolve_base: Callable[[str], str | None] = _nothing
    before_build: Callable[[ImageSpec], None] = _nothing
    retry: Callable[[str, int, BuildError], bool | None] = _nothing
    image_built: Callable[[ImageSpec, Image], None] = _nothing
