"""``SOURCE_DATE_EPOCH``: the time that everything in an image gets, if one is given."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.errors import UsageError

NAME = "SOURCE_DATE_EPOCH"
_SECONDS = re.compile("[0-9]{1,12}")
_LATEST = 253_402_300_799  # the last second of the year 9999, which layers and images can hold


def source_date_epoch(
    spec: ImageSpec, graph: StageGraph, environment: Mapping[str, str]
) -> int | None:
    """Seconds since the epoch: of the build argument, the environment, or a global ARG's default.

    Raises:
        UsageError, DockerfileError: it is no such number.
    """
    given = spec.build_args.get(NAME) or environment.get(NAME)
    text = given or graph.globals.get(NAME)
    if not text:
        return None
    if _SECONDS.fullmatch(text) and int(text) <= _LATEST:
        return int(text)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    message = f"{NAME} must be seconds since the epoch, not {shown!r}"
    if given:
        raise UsageError(message)
    raise _in_dockerfile(message, graph)


def _in_dockerfile(message: str, graph: StageGraph) -> DockerfileError:
    dockerfile = graph.dockerfile
    spans = [
        arg.span
        for arg in dockerfile.global_args
        if any(one.name.value == NAME for one in arg.declarations)
    ]
    return DockerfileError(
        [Diagnostic(message, spans[-1])],
        phase="graph",
        text=dockerfile.text,
        filename=dockerfile.filename,
    )
