"""What the layers of an entry were made from: reported when another build does not find its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_zlayer.dataclass import dataclass

TRACE = "io.github.pytest-zlayer.trace"
# Bytes: registries take manifests of up to 4 MiB. Without the files it is much shorter.
_MOST = 1_000_000
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class TracedStep:
    """What the key of one step was made from.

    Attributes:
        key: the key.
        text: the instruction.
        reads: each thing that it reads, and a digest of that which says nothing without the key
            below.
        files: the mode and a digest of each file that it takes from a context.
    """

    key: str
    text: str
    reads: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trace:
    """What all keys of a stage were made from.

    Attributes:
        origin: what it begins with, as texts for people.
        steps: those that make layers, from the lowest.
    """

    origin: Mapping[str, str]
    steps: tuple[TracedStep, ...]

    def up_to(self, key: str) -> Trace:
        """The part that the layers of ``key`` were made from."""
        keys = [one.key for one in self.steps]
        return Trace(self.origin, self.steps[: keys.index(key) + 1 if key in keys else 0])

    def to_json(self) -> str:
        """The text that an entry carries."""
        text = self._encoded(with_files=True)
        return text if len(text) <= _MOST else self._encoded(with_files=False)

    def _encoded(self, *, with_files: bool) -> str:
        steps = [
            [one.key, one.text, dict(one.reads), dict(one.files) if with_files else {}]
            for one in self.steps
        ]
        data = {"origin": dict(self.origin), "steps": steps}
        return json.dumps(data, separators=(",", ":"), sort_keys=True)


def read_trace(manifest: Mapping[str, Any]) -> Trace | None:
    """The trace that a manifest carries; ``None``: it has none that can be read."""
    try:
        data = json.loads(manifest["annotations"][TRACE])
        steps = tuple(
            TracedStep(str(key), str(text), _texts(reads), _texts(files))
            for key, text, reads, files in data["steps"]
        )
        return Trace(_texts(data["origin"]), steps)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def _texts(found: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()}


def difference(ours: Trace, other: Trace) -> tuple[int, str]:
    """The first of our steps that the other trace does not have, and what differs there.

    The number is that of the last one and one more where it has them all.
    """
    if differing := _changed(ours.origin, other.origin):
        name = differing[0]
        there, here = other.origin.get(name, "none"), ours.origin.get(name, "none")
        return 0, f"its {name} is {here}, and {there} in the nearest entry"
    for number, step in enumerate(ours.steps):
        if number >= len(other.steps):
            return number, "the nearest entry ends before it"
        if step.key != other.steps[number].key:
            return number, _of_step(step, other.steps[number])
    return len(ours.steps), "its entry is gone or too old"


def _of_step(ours: TracedStep, other: TracedStep) -> str:
    if files := _changed(ours.files, other.files):
        return f"its files differ from the nearest entry: {_of_files(files, ours, other)}"
    if names := _changed(ours.reads, other.reads):
        return f"{_listed(names)} {_differ(names)} from the nearest entry"
    return f"the nearest entry has {other.text} in its place"


def _of_files(files: Sequence[str], ours: TracedStep, other: TracedStep) -> str:
    return _listed([f"{one} ({_of_file(one, ours, other)})" for one in files])


def _of_file(name: str, ours: TracedStep, other: TracedStep) -> str:
    if name not in ours.files:
        return "missing"
    if name not in other.files:
        return "new"
    (mode, _, content), (old_mode, _, old) = (
        one.files[name].partition(" ") for one in (ours, other)
    )
    if content == old:
        return f"mode {mode}, not {old_mode}"
    return "changed"


def _changed(ours: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    names = dict.fromkeys([*ours, *other])
    return [name for name in names if ours.get(name) != other.get(name)]


def _listed(names: Sequence[str]) -> str:
    shown, rest = names[:_SHOWN], len(names) - _SHOWN
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def _differ(names: Iterable[str]) -> str:
    several = len(list(names)) > 1
    return "differ" if several else "differs"
