"""Errors that come up while a Dockerfile is planned, reported with the place that leads to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.store.base_images import BaseImageError
from pytest_zlayer.dockerfile import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.resolve import StageGraph


@contextmanager
def located(graph: StageGraph, span: Span) -> Iterator[None]:
    """Say of an error where in the Dockerfile it came up."""
    try:
        yield
    except (CopyError, BaseImageError, EngineError) as error:
        dockerfile = graph.dockerfile
        raise DockerfileError(
            [Diagnostic(error.message, span, error.hint)],
            phase="dispatch",
            text=dockerfile.text,
            filename=dockerfile.filename,
        ) from error
