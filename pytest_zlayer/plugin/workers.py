"""The data that pytest-xdist's controller and workers exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import pytest

from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.failures import message_of, shorten_collect_error
from pytest_zlayer.plugin.state import SESSION_INPUT, State, state_of

_OUTPUT = "zlayer"
# Reports carry our lines in an attribute of this name; pytest-xdist sends all attributes on.
_LINES = "zlayer_lines"
_ANNOTATIONS = "zlayer_annotations"
# What workers are given: where their events are awaited, whether with every line of output, and
# whether a terminal shows what is going on.
_CHANNEL = "zlayer_channel"
_OUTPUT_LINES = "zlayer_output"
_WATCHED = "zlayer_watched"


class Relay:
    """The hooks that are called without the configuration, and so need an object that has it."""

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Before others read a report: show what a worker sent with it, shorten repetitions."""
        state = self._state
        if state.worker is not None:
            return (yield)
        state.once.take(report)
        state.ci.note(getattr(report, _ANNOTATIONS, ()))
        state.record.test(report, events_follow=state.receiver is not None)
        lines = getattr(report, _LINES, None)
        if lines:
            state.reporter.show(list(lines))
        with state.reporter.screen.printing():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Pytest writes the name of a test, or of its file."""
        with self._state.reporter.screen.printing():
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Before others read a report: give a mistake its one line for the summary."""
        if self._state.worker is None:
            self._state.ci.note_mistake(report, message_of(report))
            shorten_collect_error(report, self._state.clean)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Between two tests nothing is captured: show what background builds have to say."""
        self._state.reporter.screen.flush()
        self._state.reporter.warn_of_retries(nodeid)


def connect(state: State) -> None:
    """At the start: a worker's events go to its controller, who awaits them."""
    worker: dict[str, Any] = getattr(state.config, "workerinput", {})
    given: str | None = worker.get(_CHANNEL)
    if state.worker is None or given is None:
        return
    with LOADING:
        from pytest_zlayer.plugin.progress.channel import Sender

    with contextlib.suppress(OSError):  # the controller is on another machine
        state.sender = Sender(given, state.worker)
        state.send_output = bool(worker[_OUTPUT_LINES])
        state.watched = bool(worker[_WATCHED])


def attach_lines(state: State, item: pytest.Item, report: pytest.TestReport) -> None:
    """Send along with a report what is to be shown where it is read, in a worker all that waits."""
    if report.when == "call" and (found := getattr(item, "annotations", ())):
        setattr(report, _ANNOTATIONS, list(found))
    if state.worker is None:
        return
    lines = [f"[{state.worker}] {line}" for line in state.reporter.screen.take_lines()]
    if lines:
        setattr(report, _LINES, lines)


def prepare(node: Any) -> None:
    """In the controller, send a worker the id of its session and where its events are awaited."""
    with LOADING:
        from pytest_zlayer.plugin.progress.channel import Receiver

    state = state_of(node.config)
    if state.receiver is None:
        state.receiver = Receiver(state.receive)
    node.workerinput[SESSION_INPUT] = state.session_id
    node.workerinput[_CHANNEL] = state.receiver.address
    node.workerinput[_OUTPUT_LINES] = state.reporter.shows_output or state.record.wants_logs
    node.workerinput[_WATCHED] = state.reporter.is_live


def hand_over(state: State) -> None:
    """At a worker's end, send the controller what its summary needs, as plain data."""
    output: dict[str, Any] | None = getattr(state.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = {
            "connected": state.sender is not None,
            "events": state.record.unsent,
            "engine": state.record.engines.get(state.worker or ""),
            "kept": state.reporter.kept,
            "problems": state.reporter.problems,
            "lines": state.reporter.screen.take_lines(),
            "mistakes": state.mistakes,
        }
    if state.sender is not None:
        state.sender.close()


def take_over(node: Any) -> None:
    """In the controller, take in what a worker handed over at its end.

    Raises:
        pytest.Session.Interrupted: the worker found mistakes, as every worker does.
    """
    state, worker = state_of(node.config), str(node.gateway.id)
    # A worker that was killed has handed over nothing.
    output: dict[str, Any] = getattr(node, "workeroutput", None) or {}
    sent = output.get(_OUTPUT)
    if sent is not None:
        _take(state, worker, sent)
    state.reporter.lost(worker)
    if sent and sent["mistakes"] and not node.config.option.continue_on_collection_errors:
        count = sent["mistakes"]
        errors = "1 error" if count == 1 else f"{count} errors"
        raise pytest.Session.Interrupted(f"{errors} during collection")


def _take(state: State, worker: str, sent: dict[str, Any]) -> None:
    if sent["connected"] and state.receiver is not None:
        state.receiver.join(worker)
    reporter = state.reporter
    for event in state.record.take_unsent(sent["events"], worker):
        reporter.remember(event, announce=False)
    if sent["engine"]:
        state.record.engines[worker] = sent["engine"]
    reporter.kept.extend(sent["kept"])
    reporter.problems.extend(sent["problems"])
    reporter.show([f"[{worker}] {line}" for line in sent["lines"]])


def stay_in_one_process(config: pytest.Config) -> None:
    """Switch off the distribution of tests, when there is nothing to run."""
    if hasattr(config.option, "tx"):
        config.option.dist = "no"
        config.option.tx = []
