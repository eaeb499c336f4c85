"""Container images for tests, built from Dockerfiles through buildah."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_zlayer.build.container import Container
    from pytest_zlayer.build.failures import BuildError
    from pytest_zlayer.build.image import BuildResult, CommandFailed, Image, RunResult, StepResult
    from pytest_zlayer.build.image_path import ImagePath
    from pytest_zlayer.build.spec import ImageSpec
    from pytest_zlayer.buildah.errors import EngineError, EngineMissing, EngineUnusable
    from pytest_zlayer.dockerfile import DockerfileError
    from pytest_zlayer.errors import UsageError, ZlayerError
    from pytest_zlayer.fixtures import image_fixture
    from pytest_zlayer.library import build

__all__ = [
    "BuildError",
    "BuildResult",
    "CommandFailed",
    "Container",
    "DockerfileError",
    "EngineError",
    "EngineMissing",
    "EngineUnusable",
    "Image",
    "ImagePath",
    "ImageSpec",
    "RunResult",
    "StepResult",
    "UsageError",
    "ZlayerError",
    "build",
    "image_fixture",
]

# Loaded when first asked for: pytest imports this package in every run, also in those without
# images.
_HOMES = {
    "BuildError": "build.failures",
    "BuildResult": "build.image",
    "CommandFailed": "build.image",
    "Container": "build.container",
    "DockerfileError": "dockerfile",
    "EngineError": "buildah.errors",
    "EngineMissing": "buildah.errors",
    "EngineUnusable": "buildah.errors",
    "Image": "build.image",
    "ImagePath": "build.image_path",
    "ImageSpec": "build.spec",
    "RunResult": "build.image",
    "StepResult": "build.image",
    "UsageError": "errors",
    "ZlayerError": "errors",
    "build": "library",
    "image_fixture": "fixtures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
