"""Events as JSON, for processes that tell each other of their builds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from pytest_zlayer import events
from pytest_zlayer.events import BuildStarted, Event, ImageContents, LayerInfo, StageInfo

_KINDS: Mapping[str, type[Any]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(events.Event)}
)


def encode(event: Event, **more: Any) -> bytes:
    """One line of JSON; ``more`` is handed back beside the event."""
    kind = type(event).__name__
    return json.dumps({"event": kind, **more, "values": dataclasses.asdict(event)}).encode() + b"\n"


def decode(line: bytes | str) -> tuple[Event, dict[str, Any]]:
    """The event of a line, and what was sent with it.

    Raises:
        ValueError: it is no such line.
    """
    try:
        data = json.loads(line)
        kind = _KINDS[data.pop("event")]
        event = _made(kind, data.pop("values"))
    except (TypeError, KeyError, AttributeError) as problem:
        raise ValueError(f"no event: {line!r}") from problem
    return event, data


def _made(kind: type[Any], values: dict[str, Any]) -> Event:
    if kind is BuildStarted:
        values["stages"] = tuple(values["stages"])
        values["graph"] = tuple(
            StageInfo(**{**one, "needs": tuple(one["needs"])}) for one in values["graph"]
        )
    elif kind is ImageContents:
        values["layers"] = tuple(LayerInfo(**one) for one in values["layers"])
    made: Event = kind(**values)
    return made
