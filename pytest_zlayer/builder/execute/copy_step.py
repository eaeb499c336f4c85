"""COPY, ADD and WORKDIR: they make a layer from files, and run nothing."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.copy import (
    CopyError,
    Selection,
    layout,
    make_directory,
    resolve_owner,
    select,
)
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.stage_files import StageFiles
from pytest_zlayer.builder.execute.waits import Waits
from pytest_zlayer.builder.oci.layer import LayerEntry
from pytest_zlayer.builder.plan.steps import Step
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, SourceRef, WorkdirOperation
from pytest_zlayer.events import OutputLine


class StageSources(Protocol):
    """What the steps of a stage copy and mount from: other stages, contexts and images."""

    def awaited(self, source: SourceRef) -> str | None:
        """The label of a stage that is not finished, ``None`` for every other source."""

    def rootfs(self, source: SourceRef) -> Rootfs:
        """The files of a source; a stage is waited for."""

    def path(self, source: SourceRef, path: str) -> Path:
        """The host path of a file or directory of a source; a stage is waited for."""

    def workdir(self, source: SourceRef) -> str:
        """The final WORKDIR of a stage, ``/`` for every other source."""


class CopyStep:
    """Executes one COPY, ADD or WORKDIR on the files of its stage.

    Args:
        waits: what this step waits for.
        emit: sends an event with the stage filled in.
    """

    def __init__(
        self,
        build: Build,
        files: StageFiles,
        sources: StageSources,
        step: Step,
        *,
        waits: Waits,
        emit: Callable[..., None],
    ) -> None:
        self._build = build
        self._files = files
        self._sources = sources
        self._step = step
        self._waits = waits
        self._emit = emit

    def execute(self, operation: CopyOperation | WorkdirOperation) -> None:
        """Put the layer on top.

        Raises:
            CopyError: a source is not there, or cannot be copied like this.
        """
        if isinstance(operation, WorkdirOperation):
            entries = self._directory(operation)
        else:
            entries = self._copied(operation)
        if entries or isinstance(operation, CopyOperation):  # else: a WORKDIR that exists
            self._files.put(self._step, entries)

    def _directory(self, operation: WorkdirOperation) -> tuple[LayerEntry, ...]:
        with self._waits.slot(self._build):
            target = self._files.rootfs()
            try:
                owner = resolve_owner(operation.user or None, target)
            except CopyError:  # as in BuildKit: what a RUN of that user will refuse
                owner = (0, 0)
            return make_directory(operation.path, target, owner=owner, now=int(self._build.now()))

    def _copied(self, operation: CopyOperation) -> tuple[LayerEntry, ...]:
        selection = self._step.selection
        if selection is None:
            selection = self._select_from(operation)
        for warning in selection.warnings:
            text = f"warning: {warning}"
            self._emit(OutputLine, number=self._step.number, stream="stderr", text=text)
        with self._waits.slot(self._build):
            target = self._files.rootfs()
            owner = resolve_owner(operation.chown, target)
            return layout(
                selection,
                operation,
                target,
                owner=owner,
                now=int(self._build.now()),
                check=self._build.check,
            )

    def _select_from(self, operation: CopyOperation) -> Selection:
        """The files a COPY takes from a stage or image.

        Sources are looked for from the root, as BuildKit does; what is not there, in the final
        WORKDIR of the stage.
        """
        with self._waits.stage(self._sources.awaited(operation.from_)):
            rootfs = self._sources.rootfs(operation.from_)
        workdir = self._sources.workdir(operation.from_)
        sources = tuple(_where(one, operation, rootfs, workdir) for one in operation.sources)
        alone = replace(operation, sources=sources)
        return select(alone, rootfs, ignore=None, check=self._build.check)


def _where(source: str, operation: CopyOperation, rootfs: Rootfs, workdir: str) -> str:
    """``source`` as it stands, or below ``workdir`` if it is relative and not at the root."""
    if source.startswith("/") or workdir == "/":
        return source
    alone = replace(operation, sources=(source,), files=())
    with contextlib.suppress(CopyError):
        if select(alone, rootfs, ignore=None).sources:
            return source
    return posixpath.join(workdir, source)
