"""The pytest plugin: hook implementations only."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer import hookspecs
from pytest_zlayer.plugin import (
    attachments,
    collection,
    debugging,
    failures,
    keeping,
    listing,
    markers,
    options,
    ready_images,
    reporting,
    service_marks,
    service_reports,
    workers,
)
from pytest_zlayer.plugin.fixtures import (
    zlayer_build,
    zlayer_container,
    zlayer_engine,
    zlayer_image,
    zlayer_images,
    zlayer_matrix,
)
from pytest_zlayer.plugin.items import files
from pytest_zlayer.plugin.services import zlayer_network, zlayer_service, zlayer_services
from pytest_zlayer.plugin.state import STATE, State, state_of

__all__ = [
    "zlayer_build",
    "zlayer_container",
    "zlayer_engine",
    "zlayer_image",
    "zlayer_images",
    "zlayer_matrix",
    "zlayer_network",
    "zlayer_service",
    "zlayer_services",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    with listing.standard_output_for_json(config):
        try:
            return (yield)
        except KeyboardInterrupt:  # while other plugins do their work at the end
            state = config.stash.get(STATE, None)
            if state is None or state.signal is None:
                raise
            name = signal.Signals(state.signal).name
            state.reporter.show([f"{reporting.PREFIX}the run was ended by {name}"])
            return 128 + state.signal


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[STATE] = state = State(config, options.read_settings(config))
    for line in (*markers.marker_lines(state.settings["marker"]), service_marks.MARKER_LINE):
        config.addinivalue_line("markers", line)
    config.pluginmanager.register(workers.Relay(state), "zlayer-relay")
    files.find_files(config)
    config.pluginmanager.register(service_reports.ServiceReports(state), "zlayer-services")
    workers.connect(state)
    debugging.refuse_many_processes(state)
    if state.settings["list"] or state.settings["prebuild"] == "only":
        workers.stay_in_one_process(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if STATE in config.stash:
        state_of(config).end()


def pytest_report_header(config: pytest.Config) -> str | None:
    return reporting.header(state_of(config).settings)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return files.collect(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    markers.parametrize_matrix(metafunc)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    return markers.parameter_id(val, argname)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    state = state_of(config)
    ready_images.refuse_unknown_names(state, items)
    yield
    collection.select_group(state, items)


# After everybody has deselected what is not to run, and before anybody reports what was collected.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    collection.check(state_of(session.config), session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    return collection.begin(state_of(session.config), session)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    return reporting.explained(op, left, right)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    state = state_of(item.config)
    state.item = item
    keeping.begin(state, item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    failures.hide_own_frames(item, call)
    state = state_of(item.config)
    state.note_uses(item)
    report = yield
    failures.describe(call, report, state.failure_key, state.clean)
    attachments.attach(item.config, call, report, state.clean)
    keeping.decide(state, item, call, report)
    workers.attach_lines(state, item, report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> dict[str, dict[str, str]]:
    """For pytest-json-report."""
    details = attachments.build_attachments(call, state_of(item.config).clean)
    return {"zlayer_build": details} if details else {}


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any]
) -> None:
    debugging.interact(state_of(node.config), call)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    state = state_of(session.config)
    stopped = exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail
    try:
        state.close(failed=state.failed, hurry=bool(stopped))
    except KeyboardInterrupt:  # the agent removes what is left
        session.exitstatus = pytest.ExitCode.INTERRUPTED
    if state.failed and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if state.signal is not None:
        session.exitstatus = 128 + state.signal
    workers.hand_over(state)
    state.conclude(int(session.exitstatus))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    state = state_of(config)
    reporting.summarise(terminalreporter, state.reporter)
    if state.run is not None:
        reporting.conclude(
            terminalreporter,
            state.run,
            state.settings["durations"],
            clean=state.clean,
            written=state.written,
            for_ci=state.ci.lines(state.run),
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    workers.prepare(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    workers.take_over(node)
