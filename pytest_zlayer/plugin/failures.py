"""How failed builds stand in the reports of tests: in full once, then as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_zlayer.builder.model.errors import BuildError

SECTION = "zlayer build"
_WIDTH = 80
_PACKAGE = __name__.partition(".")[0]
# Reports carry what failed in an attribute of this name; pytest-xdist sends all attributes on.
_FAILURE = "zlayer_failure"
# And failures of fixtures the error they stand for.
_CAUSE = "zlayer_error"
# And reports of mistakes their message.
_MESSAGE = "zlayer_message"
# What a user's mistake ends in; of any other error the way through the package is shown.
_EXPECTED = (ZlayerError, OSError, AssertionError, ValueError, LookupError, pytest.fail.Exception)


def as_failure(error: ZlayerError, clean: Callable[[str], str]) -> BaseException:
    """The failure of a fixture whose image cannot be had: a message without a traceback.

    ``clean`` makes text from a build fit to be shown.
    """
    failure: BaseException = pytest.fail.Exception(clean(failure_text(error)), pytrace=False)
    setattr(failure, _CAUSE, error)
    return failure


def cause_of(failure: BaseException) -> BaseException:
    """The error that the failure of a fixture stands for; any other error is its own."""
    cause: BaseException = getattr(failure, _CAUSE, failure)
    return cause


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest's short summary, and pytest-json-report, read from a failure's text."""

    message: str
    path: str
    lineno: int

    def __str__(self) -> str:
        return self.message


class ReportText:
    """A failure's text of which the short summary shows one line, also where ``CI`` is set.

    Of plain text it would show the whole then.
    """

    def __init__(
        self, text: str, message: str, report: pytest.TestReport | pytest.CollectReport
    ) -> None:
        path, line, _ = report.location or (report.nodeid, None, "")
        self.reprcrash = Crash(first_line(message), path, (line or 0) + 1)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def toterminal(self, out: Any) -> None:
        """Write the text, as pytest asks failures to."""
        for line in self._text.splitlines():
            out.line(line)


def first_line(text: str) -> str:
    """The first line of a text, without white space around it."""
    return text.strip().partition("\n")[0].strip()


def failure_text(error: ZlayerError) -> str:
    """What stands in the report of a test whose image could not be built."""
    details = build_details(error)
    if details is None:
        return str(error)
    return f"{error.message}\n{f' {SECTION} '.center(_WIDTH, '-')}\n{details}"


def build_details(error: BaseException) -> str | None:
    """The step, its lines, its output and how to debug it, if ``error`` is a failed build."""
    found = _as_build_error(error)
    if found is None:
        return None
    return found.report().removeprefix(found.message).strip("\n")


def _as_build_error(error: BaseException) -> BuildError | None:
    with LOADING:
        from pytest_zlayer.builder.model.errors import BuildError

    return error if isinstance(error, BuildError) else None


def hide_own_frames(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Leave the way through this package out of a traceback that begins in a test."""
    found = call.excinfo
    if found is None or not isinstance(found.value, _EXPECTED):
        return
    if item.config.getoption("fulltrace", default=False):
        return
    _unlink_own_frames(found.tb)
    cause = found.value.__cause__
    # The message of an error of this package holds what its causes say.
    if isinstance(found.value, ZlayerError) or (cause is not None and _is_all_own(cause)):
        found.value.__cause__ = None
        found.value.__suppress_context__ = True


def _is_all_own(error: BaseException) -> bool:
    entry = error.__traceback__
    while entry is not None and _is_own(entry):
        entry = entry.tb_next
    return entry is None


def _unlink_own_frames(trace: TracebackType) -> None:
    """Take the entries of this package out of a traceback's chain."""
    # pytest reads the chain itself: what is filtered in its copy comes back.
    last, entry = trace, trace.tb_next
    while entry is not None:
        if not _is_own(entry) and not _leads_to_own(entry):
            last.tb_next = entry
            last = entry
        entry = entry.tb_next
    last.tb_next = None


def _is_own(entry: TracebackType) -> bool:
    return _module(entry).partition(".")[0] == _PACKAGE


def _leads_to_own(entry: TracebackType) -> bool:
    """Whether it is what a ``with`` statement calls a function of this package by."""
    then = entry.tb_next
    return _module(entry) == "contextlib" and then is not None and _is_own(then)


def _module(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__"))


def describe(
    call: pytest.CallInfo[Any],
    report: pytest.TestReport,
    key: Callable[[ZlayerError], str],
    clean: Callable[[str], str],
) -> None:
    """Note in a report which image could not be had; ``key`` is equal for equal failures."""
    value = call.excinfo.value if call.excinfo is not None else None
    error = getattr(value, _CAUSE, value)
    replaces = error is not value
    if not isinstance(error, ZlayerError):
        return
    message = clean(first_line(error.message))
    _shorten_summary(report, message)
    details = None if replaces else build_details(error)
    if details is not None:
        report.sections.append((SECTION, clean(details)))
    if replaces or details is not None:
        said = {"key": key(error), "message": message, "replaces": replaces}
        setattr(report, _FAILURE, said)


def _shorten_summary(report: pytest.TestReport, message: str) -> None:
    """Where ``CI`` is set, the short summary would hold the whole text once more."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = message


def collect_error(item: pytest.Item, text: str, message: str) -> pytest.CollectReport:
    """A mistake in what a test declares, as pytest reports what it cannot collect."""
    extra: dict[str, Any] = {_MESSAGE: message}
    return pytest.CollectReport(item.nodeid, "failed", text, None, **extra)


def message_of(report: pytest.CollectReport) -> str | None:
    """The message of a mistake, if the report is of one."""
    message: str | None = getattr(report, _MESSAGE, None)
    return message


def shorten_collect_error(report: pytest.CollectReport, clean: Callable[[str], str]) -> None:
    """Where reports are shown, let the short summary hold the first line of a mistake."""
    message = message_of(report)
    if message is not None:
        shown: Any = ReportText(str(report.longrepr), clean(message), report)
        report.longrepr = shown


class OnceReporter:
    """Reports of one run, whatever process made them: a failure is shown in full only once."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def take(self, report: pytest.TestReport) -> None:
        """Shorten the report of a failure that another test's report holds in full."""
        failure: dict[str, Any] | None = getattr(report, _FAILURE, None)
        # A test that is to run again has not failed yet: its report is not shown.
        if failure is None or report.outcome != "failed":
            return
        first = self._shown.setdefault(failure["key"], report.nodeid)
        if first == report.nodeid:
            return
        pointer = f"in full at {first}"
        report.sections = [one for one in report.sections if one[0] != SECTION]
        if failure["replaces"]:
            text = f"{failure['message']} ({pointer})"
            shown: Any = ReportText(text, failure["message"], report)
            report.longrepr = shown
        else:
            report.sections.append((SECTION, pointer))
