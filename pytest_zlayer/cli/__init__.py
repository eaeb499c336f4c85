"""The command line: ``python -m pytest_zlayer``, also installed as ``pytest-zlayer``."""

from __future__ import annotations

import argparse
import gc
import os
import re
from collections.abc import Sequence

from pytest_zlayer.cli import build, debug, lint, parse, plan, report, store
from pytest_zlayer.cli.output import OutputError, forget_output, tell
from pytest_zlayer.cli.version import ShowVersion
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.inputs.options import OPTIONS
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.signals import CtrlC

# 0: done.
FAILED = 1
USAGE = 2
NO_ENGINE = 3
# What shells give a program that ended by SIGINT or by writing to a closed pipe.
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def run_program() -> int:
    """The whole program, as a process of its own runs it; its exit status."""
    try:
        with CtrlC() as ctrl_c:
            return main(ctrl_c=ctrl_c)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        # What is loaded now stays to the end: looking for garbage in it there takes 20 ms.
        gc.freeze()


def main(argv: Sequence[str] | None = None, *, ctrl_c: CtrlC | None = None) -> int:
    """Run one verb.

    Args:
        argv: the command line.
        ctrl_c: what notes that Ctrl-C has come.

    Returns:
        0 done, 1 the build failed, 2 usage or Dockerfile error, 3 no usable buildah. ``debug``
        gives the exit status of the step.
    """
    arguments = argparse.Namespace()
    try:
        arguments = make_parser().parse_args(argv, argparse.Namespace(ctrl_c=ctrl_c or CtrlC()))
        _check_working_directory()
        code: int = arguments.run(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except ZlayerError as error:
        tell(_in_words_of(arguments, _error_text(error)))
        return exit_code(error)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        forget_output()
        return _PIPE_CLOSED
    except (OSError, UnicodeEncodeError) as error:  # a path that is refused, of any option
        tell(f"pytest-zlayer: {_trouble_text(error)}")
        return USAGE
    return code


def _check_working_directory() -> None:
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the working directory has been removed") from None


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="pytest-zlayer",
        description="Build images from Dockerfiles with buildah, and inspect Dockerfiles.",
        epilog="Options that are not given take their values from the environment (ZLAYER_*).",
    )
    parser.add_argument("--version", action=ShowVersion, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in (build, debug, parse, plan, lint, store, report):
        module.add_verbs(verbs)
    return parser


def exit_code(error: ZlayerError) -> int:
    """The exit code for an error."""
    with LOADING:
        from pytest_zlayer.buildah.errors import EngineError, EngineMissing, EngineUnusable
        from pytest_zlayer.builder.model.errors import BuildError

    if isinstance(error, (EngineMissing, EngineUnusable)):
        return NO_ENGINE
    return FAILED if isinstance(error, (BuildError, EngineError, OutputError)) else USAGE


def _trouble_text(error: OSError | UnicodeEncodeError) -> str:
    with LOADING:
        from pytest_zlayer.builder.model.errors import machine_trouble

    return machine_trouble(error, "the disk").message


def _in_words_of(arguments: argparse.Namespace, text: str) -> str:
    """A text with the options of pytest called as this verb calls them, where it has them."""
    names = [option.name for option in OPTIONS if option.ini in arguments]
    for name in names:
        text = re.sub(rf"--zlayer-{name}(?![a-z-])", f"--{name}", text)
    return text


def _error_text(error: ZlayerError) -> str:
    with LOADING:
        from pytest_zlayer.builder.model.errors import BuildError

    return error.report() if isinstance(error, BuildError) else f"pytest-zlayer: {error}"
