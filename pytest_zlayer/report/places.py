"""What a run has transferred from and to cache places on other machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_zlayer.lazy import LazyModule
from pytest_zlayer.report.text import missed_text, place_problem
from pytest_zlayer.report.units import count_text, size_text

if TYPE_CHECKING:
    from pytest_zlayer import events
    from pytest_zlayer.events import Event
else:
    # A run without images has none.
    events = LazyModule("pytest_zlayer.events")


# Stages that were missed for reasons of their own; a changed base image is the same for all.
_SHOWN = 5


@dataclass(slots=True)
class PlacesUsed:
    """Adds up the events of all processes of a run."""

    _fetched: Counter[str] = field(default_factory=Counter)
    _sent: Counter[str] = field(default_factory=Counter)
    _bytes: Counter[str] = field(default_factory=Counter)
    _missed: dict[str, None] = field(default_factory=dict)
    _problems: dict[str, None] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case events.LayersFetched():
                self._fetched[event.place] += event.layers
                self._bytes[event.place] += event.bytes
            case events.LayersMissed():
                self._missed[missed_text(event)] = None
            case events.LayersSent():
                self._sent[event.place] += event.layers
            case events.CachePlaceProblem():
                self._problems[place_problem(event)] = None
            case _:
                pass

    def lines(self) -> list[str]:
        """What the end of the run says of it: a line a place, and a line a problem."""
        lines = []
        for place in dict.fromkeys([*self._fetched, *self._sent]):
            fetched, sent = self._fetched[place], self._sent[place]
            parts = []
            if fetched:
                size = size_text(self._bytes[place])
                parts.append(f"{count_text(fetched, 'layer')} fetched ({size})")
            if sent:
                parts.append(f"{count_text(sent, 'layer')} sent")
            lines.append(f"cache place {place}: {', '.join(parts)}")
        return [*lines, *self._missed_lines(), *self._problems]

    def _missed_lines(self) -> list[str]:
        missed = [f"  {one}" for one in self._missed]
        if not missed:
            return []
        more = [f"  and {len(missed) - _SHOWN} more"] if len(missed) > _SHOWN else []
        stages = count_text(len(missed), "stage")
        return [f"cache places do not have all of {stages}:", *missed[:_SHOWN], *more]
