"""``debug``: the step at which a build has failed again, or a shell before it."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from typing import TYPE_CHECKING

from pytest_zlayer.cli.options import STORAGE, add_settings, given_here, read_settings
from pytest_zlayer.cli.output import tell
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.report.text import ProgressLines
from pytest_zlayer.signals import TerminationHandler

if TYPE_CHECKING:
    from pytest_zlayer.builder.execute.again import Debugging
    from pytest_zlayer.builder.session.build_session import BuildSession
    from pytest_zlayer.builder.session.debug_records import DebugRecord
    from pytest_zlayer.cli.options import Verbs
    from pytest_zlayer.events import Event

_SETTINGS = (*STORAGE, "isolation", "build-arg", "build-context")


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "debug",
        help="run a failed step again, or open a shell in the state before it",
        description="Run the failed step of a build again, in the state before it, with its "
        "mounts, user, environment and network, and exit with its exit status. Nothing that the "
        "step does is kept. Secrets are read again from their original source. If ID is the name "
        "of something that a session has kept, open a shell in it.",
    )
    parser.add_argument(
        "id", metavar="ID", help="as shown by the failed build or in the list of what was kept"
    )
    parser.add_argument(
        "--shell",
        action="store_true",
        help="open a shell in the state before the step instead of running the step",
    )
    add_settings(parser, _SETTINGS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the step or the shell; its exit status."""
    with LOADING:
        from pytest_zlayer.builder.model.wording import COMMAND_LINE
        from pytest_zlayer.builder.session.build_session import BuildSession
        from pytest_zlayer.builder.session.debug_records import find_record
        from pytest_zlayer.builder.session.directories import log_directory

    settings = read_settings(arguments)
    options = settings.build_options(session_id=secrets.token_hex(6), wording=COMMAND_LINE)
    record = find_record(log_directory(options.environment), arguments.id)
    if record is not None:
        options = record.build_options(options, given_here(settings))
        _go_to(record)
    session = BuildSession(options)
    arguments.ctrl_c.interrupts(session.interrupt)
    with TerminationHandler(session.interrupt):
        try:
            how = _debugging(shell=arguments.shell or record is None)
            return _debug(session, record, arguments.id, how)
        finally:
            session.close()


def _debug(session: BuildSession, record: DebugRecord | None, name: str, how: Debugging) -> int:
    if record is None:
        return session.enter_kept(name, how)
    tell(f"{record.image}: {record.dockerfile}:{record.line}: {record.step}")
    code = session.debug(record, how)
    if not how.opens_shell:
        tell(f"the step exited with {code}")
    return code


def _go_to(record: DebugRecord) -> None:
    """Relative paths of a declaration start where its build was started."""
    try:
        os.chdir(record.directory)
    except OSError as problem:
        raise UsageError(f"cannot go to {record.directory}: {problem.strerror}") from problem


def _debugging(*, shell: bool) -> Debugging:
    with LOADING:
        from pytest_zlayer.builder.execute.again import Debugging, StandardStream

    lines = ProgressLines("short", prefix="")

    def listen(event: Event) -> None:
        for line in lines.lines(event):
            tell(line)

    return Debugging(
        opens_shell=shell,
        terminal=sys.stdin is not None and os.isatty(0) and os.isatty(1),
        stdout=StandardStream(1),
        stderr=StandardStream(2),
        say=tell,
        listen=listen,
    )
