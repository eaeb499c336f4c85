"""What differs between the steps of a build and those of an entry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_zlayer.builder.remote.trace import TRACE, Trace, TracedStep, difference, read_trace

ORIGIN = {"cache scope": "none", "base image": "0123456789ab"}
COPY = TracedStep(
    "k1",
    "COPY src /src",
    {"what it copies": "1"},
    {"src/a": "100644 a1", "src/b": "100644 b1", "src/c": "100644 c1"},
)
RUN = TracedStep("k2", "RUN make", {"its command": "1", "variable CC": "2"}, {})
TRACE_OF_ENTRY = Trace(ORIGIN, (COPY, RUN))


def changed(number: int, **changes: object) -> Trace:
    """The trace of an entry whose step ``number`` was another one."""
    steps = list(TRACE_OF_ENTRY.steps)
    steps[number] = replace(steps[number], key="other", **changes)
    return Trace(ORIGIN, tuple(steps))


OTHERS = [
    (
        replace(TRACE_OF_ENTRY, origin={**ORIGIN, "base image": "ba9876543210"}),
        (0, "its base image is 0123456789ab, and ba9876543210 in the nearest entry"),
    ),
    (
        changed(0, files={"src/a": "100664 a1", "src/b": "100644 b2", "src/d": "100644 d"}),
        (
            0,
            "its files differ from the nearest entry: "  # noqa: ISC004 (one text)
            "src/a (mode 100644, not 100664), src/b (changed), src/c (new) and 1 more",
        ),
    ),
    (
        changed(1, reads={"its command": "1", "variable CC": "3"}),
        (1, "variable CC differs from the nearest entry"),
    ),
    (
        changed(1, reads={"its command": "3", "variable CC": "3"}),
        (1, "its command, variable CC differ from the nearest entry"),
    ),
    (changed(1, text="COPY x /"), (1, "the nearest entry has COPY x / in its place")),
    (TRACE_OF_ENTRY.up_to("k1"), (1, "the nearest entry ends before it")),
    (TRACE_OF_ENTRY, (2, "its entry is gone or too old")),
]


@pytest.mark.parametrize(("other", "expected"), OTHERS)
def test_the_first_difference_is_reported(other: Trace, expected: tuple[int, str]) -> None:
    assert difference(TRACE_OF_ENTRY, other) == expected


def test_it_comes_back_from_a_manifest_as_it_was() -> None:
    assert read_trace({"annotations": {TRACE: TRACE_OF_ENTRY.to_json()}}) == TRACE_OF_ENTRY


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"origin": {}, "steps": [1]}', '{"origin": [], "steps": []}', "[" * 999],
)
def test_what_is_no_trace_is_none(text: str) -> None:
    assert read_trace({"annotations": {TRACE: text}}) is None
    assert read_trace({}) is None


def test_where_there_are_too_many_files_their_names_are_left_out() -> None:
    many = replace(COPY, files={f"{number}" * 200: "100644 a" for number in range(10_000)})
    found = read_trace({"annotations": {TRACE: Trace(ORIGIN, (many,)).to_json()}})
    assert found == Trace(ORIGIN, (replace(many, files={}),))
