"""``report``: one page of what several runs have written."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.cli.output import tell
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.cli.options import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "report",
        help="make one page from the reports of one or more runs (needs no buildah)",
        description="Make a page from reports that pytest --zlayer-report FILE.json has written: "
        "from that of one run, or from those of all its shards.",
    )
    parser.add_argument("files", metavar="FILE.json", nargs="+", type=Path, help="the reports")
    parser.add_argument(
        "-o", "--output", metavar="FILE.html", type=Path, required=True, help="the page to write"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the reports and write the page."""
    with LOADING:
        from pytest_zlayer.report.html.page import page
        from pytest_zlayer.report.json_file import read_json

    runs = [read_json(file) for file in arguments.files]
    if len(runs) > 1:
        names = zip(runs, arguments.files, strict=True)
        runs = [replace(one, shard=one.shard or file.stem) for one, file in names]
    try:
        arguments.output.write_text(page(runs), encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"cannot write {arguments.output}: {problem.strerror}") from problem
    tell(f"{arguments.output}: {len(runs)} {'run' if len(runs) == 1 else 'runs'}")
    return 0
