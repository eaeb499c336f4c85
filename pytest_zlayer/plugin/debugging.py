"""``--zlayer-debug``: a shell in the state before a failed step, at the moment of the failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.failures import cause_of
from pytest_zlayer.plugin.reporting import PREFIX, distributes

if TYPE_CHECKING:
    from pytest_zlayer.builder.execute.again import Debugging
    from pytest_zlayer.events import Event
    from pytest_zlayer.plugin.state import State


def refuse_many_processes(state: State) -> None:
    """Raise ``pytest.UsageError`` where tests run in processes that have no terminal."""
    if state.settings["debug"] and distributes(state.config):
        raise pytest.UsageError(
            "--zlayer-debug needs the terminal, which the workers of pytest-xdist do not have: "
            "use -n 0"
        )


def interact(state: State, call: pytest.CallInfo[Any]) -> None:
    """Open a shell if a test has failed because a step of a build has, once for each failure."""
    if not state.settings["debug"] or call.excinfo is None:
        return
    name = getattr(cause_of(call.excinfo.value), "debug_id", None)
    if name is None or name in state.debugged:
        return
    state.debugged.add(name)
    with _terminal(state.config):
        _open_shell(state, name)


@contextmanager
def _terminal(config: pytest.Config) -> Iterator[None]:
    """Standard input and output are those of the terminal, as for ``--pdb``."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend(in_=True)
    try:
        yield
    finally:
        if capture is not None:
            capture.resume()


def _open_shell(state: State, name: str) -> None:
    with LOADING:
        from pytest_zlayer.builder.session.debug_records import find_record
        from pytest_zlayer.builder.session.directories import log_directory

    writer = state.config.get_terminal_writer()
    writer.line()
    try:
        record = find_record(log_directory(state.settings.environment), name)
        if record is None:
            return
        writer.line(f"{PREFIX}shell before {record.dockerfile}:{record.line}: {record.step}")
        code = state.session.debug(record, _debugging(state.config))
        writer.line(f"{PREFIX}the shell ended with {code}")
    except ZlayerError as error:
        writer.line(f"{PREFIX}no shell can be opened: {error}")


def _debugging(config: pytest.Config) -> Debugging:
    with LOADING:
        from pytest_zlayer.builder.execute.again import Debugging, StandardStream
        from pytest_zlayer.report.text import ProgressLines

    writer, lines = config.get_terminal_writer(), ProgressLines("short")

    def listen(event: Event) -> None:
        for line in lines.lines(event):
            writer.line(line)

    return Debugging(
        opens_shell=True,
        terminal=os.isatty(0) and os.isatty(1),
        stdout=StandardStream(1),
        stderr=StandardStream(2),
        say=lambda text: writer.line(f"{PREFIX}{text}"),
        listen=listen,
    )
