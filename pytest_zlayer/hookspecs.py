"""The hooks other plugins and conftest files may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.model.errors import BuildError
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.events import Event


@pytest.hookspec(firstresult=True)
def pytest_zlayer_resolve_base(config: pytest.Config, reference: str) -> str | None:
    """Say which image a FROM means; the first answer that is not ``None`` is used.

    Called once for each base image that is no stage and not ``scratch``, with the reference as
    the Dockerfile gives it (after expansion), before the default registry applies.

    Returns:
        The reference to use, or ``None`` to leave it as it is.
    """


@pytest.hookspec
def pytest_zlayer_before_build(config: pytest.Config, spec: ImageSpec) -> None:
    """Called before the first step of a build, once for each distinct declaration."""


@pytest.hookspec
def pytest_zlayer_event(config: pytest.Config, event: Event) -> None:
    """Called for everything a build does, in order; the type of the event says what.

    It may be called from another thread than the tests run in, and often (for each line a step
    writes): an implementation should be quick.
    """


@pytest.hookspec(firstresult=True)
def pytest_zlayer_retry(
    config: pytest.Config, step: str, attempt: int, error: BuildError
) -> bool | None:
    """Say whether a failed step is tried again; the first answer that is not ``None`` counts.

    Asked only while attempts are left (``--zlayer-retries``), and not when a time limit has ended
    the step. ``attempt`` is the number of the attempt that failed, from 1; ``step`` is the
    instruction on one line.

    Returns:
        ``True`` to try again, ``False`` to give up, ``None`` to leave it to the default policy.
    """


@pytest.hookspec
def pytest_zlayer_image_built(config: pytest.Config, spec: ImageSpec, image: Image) -> None:
    """Called once for each image that was built or found in the cache."""
