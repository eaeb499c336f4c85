"""What a run tells the service whose job it is: GitHub Actions or GitLab."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_zlayer.inputs.settings import Settings
from pytest_zlayer.lazy import LOADING, late_pattern

if TYPE_CHECKING:
    from pytest_zlayer.report.ci_service import CIService
    from pytest_zlayer.report.model import Run

# How the text of a mistake begins: the place of the test that has it.
_PLACE = late_pattern(r"^(?P<file>[^\n]+?):(?P<line>\d+): ")


def _service(environment: Mapping[str, str]) -> CIService | None:
    # Elsewhere nothing is loaded to find that out.
    if not {"GITHUB_ACTIONS", "GITLAB_CI"} & set(environment):
        return None
    with LOADING:
        from pytest_zlayer.report.ci_service import service_of

    return service_of(environment)


class CiJob:
    """The job that this run is part of, if it is one.

    Attributes:
        service: its service, or ``None``.
    """

    def __init__(self, settings: Settings) -> None:
        self._environment = settings.environment
        self.service = _service(settings.environment)
        self._annotations: list[str] = []

    @property
    def _workspace(self) -> str:
        return self._environment.get("GITHUB_WORKSPACE", "")

    def clean(self, text: str) -> str:
        """Text from a build, in which the service finds no command."""
        if self.service is None:
            return text
        with LOADING:
            from pytest_zlayer.report.ci_service import harmless

        return harmless(text)

    def note_mistake(self, report: pytest.CollectReport, message: str | None) -> None:
        """Take in a mistake that is shown as an error of the collection."""
        if self.service != "github" or message is None:
            return
        with LOADING:
            from pytest_zlayer.report.ci import mistake

        found = _PLACE.match(str(report.longrepr))
        place = (found["file"], int(found["line"])) if found else (report.nodeid, 1)
        self._annotations.append(mistake(message, place, self._workspace))

    def note(self, annotations: Iterable[str]) -> None:
        """Take in what is to stand beside lines of files."""
        self._annotations.extend(annotations)

    def lines(self, run: Run) -> list[str]:
        """What is to stand in the job's log."""
        with LOADING:
            from pytest_zlayer.report.ci import logs, notices

        if self.service is None:
            return []
        lines: list[str] = []
        if self.service == "github":
            lines = [*dict.fromkeys(self._annotations), *notices(run, self._workspace)]
        return [*lines, *logs(run, self.service)]

    def summarise(self, run: Run) -> None:
        """Add the table of images to the summary of the job, where there is one."""
        place = self._environment.get("GITHUB_STEP_SUMMARY")
        if self.service != "github" or not place:
            return
        with LOADING:
            from pytest_zlayer.report.ci import job_summary

        # A summary that cannot be written is no reason for anything to fail.
        with contextlib.suppress(OSError), Path(place).open("ab") as file:
            file.write(job_summary(run).encode("utf-8", "replace"))
