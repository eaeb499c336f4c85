"""``parse``: the typed instructions of a Dockerfile."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_zlayer.cli.output import readable, show
from pytest_zlayer.cli.sources import read_source
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.cli.options import Verbs
    from pytest_zlayer.dockerfile import AnyInstruction, Dockerfile


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("parse", help="show the instructions of a Dockerfile")
    parser.add_argument("file", metavar="FILE", help="the Dockerfile (-: stdin)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Parse a file and print what it says."""
    with LOADING:
        from pytest_zlayer.dockerfile import parse

    source, shown = read_source(arguments.file)
    dockerfile = parse(source, filename=shown)
    if arguments.json:
        show([json.dumps(dockerfile.to_dict(), indent=2)])
    else:
        show(map(readable, lines_of(dockerfile)))
    return 0


def lines_of(dockerfile: Dockerfile) -> Iterator[str]:
    """The instructions as lines for people, stages set apart."""
    starts = {id(stage.from_): stage for stage in dockerfile.stages}
    for instruction in dockerfile.instructions:
        stage = starts.get(id(instruction))
        if stage is not None:
            yield f"stage {stage.index}" + (f" ({stage.name})" if stage.name else "")
        yield _line(instruction)


def _line(instruction: AnyInstruction) -> str:
    shown = [str(flag) for flag in instruction.flags]
    if instruction.json:
        shown.append(json.dumps([str(one) for one in instruction.args], ensure_ascii=False))
    else:
        shown += [str(one).replace("\n", "\\n") for one in instruction.args]
    shown += [f"({one.name}: {len(one.content)} characters)" for one in instruction.heredocs]
    return f"{instruction.span.line:>5}  {instruction.name:<11} {' '.join(shown)}".rstrip()
