"""Container images for tests, built from Dockerfiles through buildah."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from pytest_zlayer.buildah.errors import (
        EngineError,
        EngineMissing,
        EngineTimeout,
        EngineUnusable,
        ImageNotKnown,
    )
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.image.container import Container
    from pytest_zlayer.builder.image.path import ImagePath
    from pytest_zlayer.builder.image.results import (
        BuildResult,
        CommandFailed,
        RunResult,
        StepResult,
    )
    from pytest_zlayer.builder.model.errors import BuildError
    from pytest_zlayer.builder.model.options import BuildOptions
    from pytest_zlayer.builder.model.retry_policy import RetryPolicy
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.builder.session.build_session import BuildSession
    from pytest_zlayer.dockerfile import DockerfileError
    from pytest_zlayer.errors import UsageError, ZlayerError
    from pytest_zlayer.library import build
    from pytest_zlayer.plugin.fixtures import image_fixture
    from pytest_zlayer.plugin.services import service_fixture
    from pytest_zlayer.services import ready
    from pytest_zlayer.services.errors import ServiceError
    from pytest_zlayer.services.running import Service

__all__ = [
    "BuildError",
    "BuildOptions",
    "BuildResult",
    "BuildSession",
    "CommandFailed",
    "Container",
    "DockerfileError",
    "EngineError",
    "EngineMissing",
    "EngineTimeout",
    "EngineUnusable",
    "Image",
    "ImageNotKnown",
    "ImagePath",
    "ImageSpec",
    "RetryPolicy",
    "RunResult",
    "Service",
    "ServiceError",
    "StepResult",
    "UsageError",
    "ZlayerError",
    "build",
    "image_fixture",
    "ready",
    "service_fixture",
]


class _Finder:
    """Finds the modules of this package before pytest does, which would rewrite their assertions.

    Rewritten modules take three times as long to load, and many times as long where no ``.pyc``
    files can be written.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        mine = name.startswith(f"{__name__}.")
        return PathFinder.find_spec(name, path, target) if mine else None


sys.meta_path.insert(0, _Finder)

from pytest_zlayer.lazy import late_name  # noqa: E402 - above, pytest would rewrite that module

# Loaded when first asked for: pytest imports this package in every run, also in those without
# images.
_HOMES = {
    "BuildError": "builder.model.errors",
    "BuildOptions": "builder.model.options",
    "BuildResult": "builder.image.results",
    "BuildSession": "builder.session.build_session",
    "CommandFailed": "builder.image.results",
    "Container": "builder.image.container",
    "DockerfileError": "dockerfile",
    "EngineError": "buildah.errors",
    "EngineMissing": "buildah.errors",
    "EngineTimeout": "buildah.errors",
    "EngineUnusable": "buildah.errors",
    "ImageNotKnown": "buildah.errors",
    "Image": "builder.image.built_image",
    "ImagePath": "builder.image.path",
    "ImageSpec": "builder.model.spec",
    "RetryPolicy": "builder.model.retry_policy",
    "RunResult": "builder.image.results",
    "Service": "services.running",
    "ServiceError": "services.errors",
    "StepResult": "builder.image.results",
    "UsageError": "errors",
    "ZlayerError": "errors",
    "build": "library",
    "image_fixture": "plugin.fixtures",
    "ready": "services",
    "service_fixture": "plugin.services",
}
# Beside the public names: all that can be raised shows, and is found, under the package's name.
_HOMES |= {
    "BaseImageError": "builder.store.base_images",
    "BuildTimeout": "builder.execute.build",
    "CompressionError": "builder.files.compression",
    "CopyError": "builder.model.errors",
    "ExpansionError": "dockerfile.shell.expansion",
    "FetchError": "builder.context.fetch",
    "GitError": "builder.context.git",
    "LayerError": "builder.oci.layer",
    "MachineError": "builder.model.errors",
    "MountRefused": "builder.execute.mounts",
    "NotAnArchive": "builder.context.build_context",
    "OutputError": "cli.output",
    "PackagesUnreadable": "checks.packages.record",
    "RegistryBusy": "buildah.commands.skopeo",
    "RemoteError": "builder.model.errors",
    "RetryWarning": "plugin.reporting",
    "ServiceEnded": "services.errors",
    "ServiceNotReady": "services.errors",
    "ServiceRefused": "services.errors",
    "SessionClosed": "builder.session.build_session",
    "StructureError": "checks.structure.model",
    "Terminated": "signals",
    "Unhealthy": "services.health",
}


def __getattr__(name: str) -> Any:
    return late_name(__name__, _HOMES, name)
