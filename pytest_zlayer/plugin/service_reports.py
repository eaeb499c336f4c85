"""The logs of services in the reports of tests that failed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin.fixtures import all_definitions
from pytest_zlayer.plugin.state import State

if TYPE_CHECKING:
    from pytest_zlayer.services.running import Service

SECTION = "service "
_SHOWN_LINES = 200
_STARTED = pytest.StashKey[int]()


class ServiceReports:
    """Puts the logs of a failed test's services into its report.

    Those of a wider scope belong to the fixture that has started them.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember which services were there before the test."""
        services = self._state.known_services
        if services is not None:
            services.forget_ended()
            item.stash[_STARTED] = services.count
            known = self._state.fixture_services
            self._state.fixture_services = {one: by for one, by in known.items() if not one.over}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Remember which services a fixture has started."""
        services = self._state.known_services
        before = 0 if services is None else services.count
        try:
            return (yield)
        finally:
            services = self._state.known_services
            for one in () if services is None else services.started_since(before):
                self._state.fixture_services.setdefault(one, fixturedef)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add a section for each service of a test that failed."""
        report = yield
        if report.failed and self._state.known_services is not None:
            for service in self._services_of(item):
                report.sections.append((f"{SECTION}{service.name}", _section(service)))
        return report

    def _services_of(self, item: pytest.Item) -> list[Service]:
        """The services of a test: those of its fixtures, and those started while it ran."""
        used = all_definitions(item)
        started_by = self._state.fixture_services.items()
        shared = [one for one, by in started_by if by in used and not one.over]
        own = self._state.services.started_since(item.stash.get(_STARTED, 0))
        return list(dict.fromkeys([*shared, *own]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Let the junit report, which knows no sections, have them with the failure."""
        sections = [one for one in report.sections if one[0].startswith(SECTION)]
        if not sections or not report.failed or self._state.worker is not None:
            return (yield)
        text: Any = report.longrepr
        if isinstance(text, str):
            report.longrepr = "\n".join([text, *(f"--- {name}\n{one}" for name, one in sections)])
        for name, content in sections if hasattr(text, "addsection") else ():
            text.addsection(name, content)
        try:
            return (yield)
        finally:  # the terminal shows sections itself, and later
            report.longrepr = text
            if hasattr(text, "addsection"):
                del text.sections[-len(sections) :]


def _section(service: Service) -> str:
    try:
        lines = service.log_text()
    except (ZlayerError, OSError) as error:  # the failure of the test is what matters
        return f"its log cannot be read: {error}"
    left_out = len(lines) - _SHOWN_LINES
    head = [f"({left_out} earlier lines are left out)"] if left_out > 0 else []
    return "\n".join([service.state(), *head, *lines[-_SHOWN_LINES:]])
