"""The verbs ``ps`` and ``prune``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pytest_zlayer.cli.options import STORAGE, add_settings, read_settings
from pytest_zlayer.cli.output import readable, show, tell
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.option_values import quoted, to_place, to_span
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.builder.session.prune import StoreItem
    from pytest_zlayer.cli.options import Verbs

T = TypeVar("T")
_REMOTE = "instead of the storage: a cache place, dir:PATH or REGISTRY/REPOSITORY"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (0.0, "s"))


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs to the parser."""
    listing = verbs.add_parser("ps", help="list what pytest-zlayer has in the storage")
    listing.add_argument("--remote", metavar="PLACE", help=_REMOTE)
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=run_ps)
    pruning = verbs.add_parser(
        "prune",
        help="remove what pytest-zlayer has in the storage",
        description="Remove what dead sessions have left, and cached layers beyond the limits. "
        "What other tools have made and what a running session uses is kept.",
    )
    pruning.add_argument("--cache", action="store_true", help="also remove all cached layers")
    pruning.add_argument(
        "--cache-mounts", action="store_true", help="also remove the contents of RUN cache mounts"
    )
    pruning.add_argument(
        "--kept", action="store_true", help="also remove what --zlayer-keep has kept"
    )
    pruning.add_argument("--all", action="store_true", help="also remove all of these")
    pruning.add_argument("--remote", metavar="PLACE", help=f"{_REMOTE}; see --max-age")
    pruning.add_argument(
        "--max-age",
        metavar="TIME",
        default="14d",
        help="with --remote: remove entries that are older than this (default: 14d)",
    )
    pruning.add_argument("--json", action="store_true", help="print JSON")
    pruning.set_defaults(run=run_prune)
    add_settings(listing, STORAGE)
    add_settings(pruning, (*STORAGE, "cache-max-age", "cache-max-size"))


def run_ps(arguments: argparse.Namespace) -> int:
    """List what is there."""
    with LOADING:
        from pytest_zlayer.builder.session.prune import list_store

    options = read_settings(arguments).build_options()
    if arguments.remote:
        with LOADING:
            from pytest_zlayer.builder.session.remote_places import list_place

        place = _converted("--remote", to_place, arguments.remote)
        _show(list_place(options, place), arguments.json, f"there are no layers in {place}")
        return 0
    items = list_store(options)
    _show(items, arguments.json, "pytest-zlayer has nothing in the storage")
    return 0


def run_prune(arguments: argparse.Namespace) -> int:
    """Remove things and list what was removed."""
    with LOADING:
        from pytest_zlayer.builder.session.prune import prune

    options = read_settings(arguments).build_options()
    if arguments.remote:
        with LOADING:
            from pytest_zlayer.builder.session.remote_places import prune_place

        place = _converted("--remote", to_place, arguments.remote)
        age = _converted("--max-age", to_span, arguments.max_age)
        _show(prune_place(options, place, age), arguments.json, "there was nothing to remove")
        return 0
    items = prune(
        options,
        cache=arguments.cache,
        cache_mounts=arguments.cache_mounts,
        kept=arguments.kept,
        everything=arguments.all,
    )
    _show(items, arguments.json, "there was nothing to remove")
    return 0


def _converted(flag: str, convert: Callable[[str], T], text: str) -> T:
    try:
        return convert(text)
    except ValueError as problem:
        raise UsageError(f"{flag}: {problem}, not {quoted(text)}") from problem


def _show(items: list[StoreItem], as_json: bool, nothing: str) -> None:
    if as_json:
        show([json.dumps([asdict(item) for item in items], indent=2)])
    elif not items:
        show([nothing])
    else:
        show(map(readable, table(items)))
        for item in items:
            for problem in filter(None, item.problem.split("\n")):
                tell(f"{item.name}: {problem}")


def table(items: list[StoreItem]) -> list[str]:
    """The items as aligned lines under a heading."""
    rows = [("KIND", "NAME", "SIZE", "AGE")]
    rows += [(item.kind, item.name, _size(item.size), _age(item.age)) for item in items]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{kind:<{widths[0]}}  {name:<{widths[1]}}  {size:>{widths[2]}}  {age}".rstrip()
        for kind, name, size, age in rows
    ]


def _size(count: int) -> str:
    if not count:
        return ""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    span, unit = next(one for one in _AGES if max(seconds, 0.0) >= one[0])
    return f"{seconds / span if span else max(seconds, 0.0):.0f} {unit}"
