"""The data that pytest-xdist's controller and workers exchange."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.plugin.failures import shorten_collect_error
from pytest_zlayer.plugin.state import SESSION_INPUT, State, state_of

_OUTPUT = "zlayer"
# Reports carry our lines in an attribute of this name; pytest-xdist sends all attributes on.
_LINES = "zlayer_lines"


class Relay:
    """The hooks that are called without the configuration, and so need an object that has it."""

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Before others read a report: show what a worker sent with it, shorten repetitions."""
        if self._state.worker is not None:
            return
        self._state.once.take(report)
        lines = getattr(report, _LINES, None)
        if lines:
            self._state.reporter.show(list(lines))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Before others read a report: give a mistake its one line for the summary."""
        if self._state.worker is None:
            shorten_collect_error(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Between two tests nothing is captured: show what background builds have to say."""
        self._state.reporter.flush()
        self._state.reporter.warn_of_retries(nodeid)


def attach_lines(state: State, report: pytest.TestReport) -> None:
    """In a worker, send the lines that wait along with a report."""
    if state.worker is None:
        return
    lines = [f"[{state.worker}] {line}" for line in state.reporter.take_lines()]
    if lines:
        setattr(report, _LINES, lines)


def prepare(node: Any) -> None:
    """In the controller, send a worker the id of the session it belongs to."""
    node.workerinput[SESSION_INPUT] = state_of(node.config).session_id


def hand_over(state: State) -> None:
    """At a worker's end, send the controller what its summary needs, as plain data."""
    output: dict[str, Any] | None = getattr(state.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = {
            "retries": state.reporter.retries,
            "kept": state.reporter.kept,
            "problems": state.reporter.problems,
            "lines": state.reporter.take_lines(),
            "mistakes": state.mistakes,
        }


def take_over(node: Any) -> None:
    """In the controller, take in what a worker handed over at its end.

    Raises:
        pytest.Session.Interrupted: the worker found mistakes, as every worker does.
    """
    # A worker that was killed has handed over nothing.
    output: dict[str, Any] = getattr(node, "workeroutput", None) or {}
    sent = output.get(_OUTPUT)
    if sent is None:
        return
    reporter = state_of(node.config).reporter
    reporter.retries.extend(sent["retries"])
    reporter.kept.extend(sent["kept"])
    reporter.problems.extend(sent["problems"])
    reporter.show([f"[{node.gateway.id}] {line}" for line in sent["lines"]])
    if sent["mistakes"] and not node.config.option.continue_on_collection_errors:
        count = sent["mistakes"]
        errors = "1 error" if count == 1 else f"{count} errors"
        raise pytest.Session.Interrupted(f"{errors} during collection")


def stay_in_one_process(config: pytest.Config) -> None:
    """Switch off the distribution of tests, when there is nothing to run."""
    if hasattr(config.option, "tx"):
        config.option.dist = "no"
        config.option.tx = []
