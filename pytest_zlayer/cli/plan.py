"""``plan``: the stages of a build, what they need, and which the target needs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pytest_zlayer.cli.options import add_settings, here, read_settings
from pytest_zlayer.cli.output import readable, show
from pytest_zlayer.cli.sources import add_source, source_arguments
from pytest_zlayer.inputs.declarations import declare
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.cli.options import Verbs

_SETTINGS = ("build-arg", "build-context", "platform", "registry")


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("plan", help="show the stages of a build (needs no buildah)")
    add_source(parser)
    add_settings(parser, _SETTINGS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan a build and print its stages."""
    with LOADING:
        from pytest_zlayer.builder.session.build_session import BuildSession

    session = BuildSession(read_settings(arguments).build_options())
    args, values = source_arguments(arguments)
    try:
        plan = session.plan(declare(args, values, place=here(), what="plan"))
    finally:
        session.close()
    if arguments.json:
        show([json.dumps(plan.to_dict(), indent=2)])
    else:
        show(map(readable, plan.describe()))
    return 0
