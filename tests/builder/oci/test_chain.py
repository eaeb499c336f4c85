"""Layers and history, from what a store holds to what is written back."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.builder.oci.chain import (
    Chain,
    HistoryEntry,
    Layer,
    read_chain,
    timestamp_text,
)

A, B, C = (Layer(f"sha256:{letter * 64}", size) for size, letter in enumerate("abc", 1))
WHOLE = {
    "created": "2024-02-03T04:05:06Z",
    "created_by": "RUN make",
    "comment": "by hand",
    "author": "Ada",
    "empty_layer": True,
}


def config(diff_ids: list[str] | None, **more: Any) -> dict[str, Any]:
    return {"rootfs": {"type": "layers", "diff_ids": diff_ids}, **more}


def test_layers_have_the_sizes_of_the_manifest() -> None:
    manifest = {"layers": [{"size": 1}, {"size": 2}]}
    assert read_chain(manifest, config([A.diff_id, B.diff_id])).layers == (A, B)


def test_sizes_that_are_missing_are_zero() -> None:
    manifest = {"layers": [{"digest": "x"}]}
    found = read_chain(manifest, config([A.diff_id, B.diff_id])).layers
    assert found == (Layer(A.diff_id, 0), Layer(B.diff_id, 0))


def test_a_manifest_may_name_more_layers_than_the_configuration() -> None:
    assert read_chain({"layers": [{"size": 1}, {"size": 9}]}, config([A.diff_id])).layers == (A,)


@pytest.mark.parametrize("found", [{}, config(None), config([], history=None)])
def test_an_image_may_have_nothing(found: dict[str, Any]) -> None:
    assert read_chain({}, found) == Chain((), ())


def test_history_is_read_whole() -> None:
    (entry,) = read_chain({}, config([], history=[WHOLE])).history
    assert entry == HistoryEntry(
        "RUN make", created="2024-02-03T04:05:06Z", comment="by hand", author="Ada", empty=True
    )
    assert entry.to_json() == WHOLE


def test_history_may_say_nothing() -> None:
    (entry,) = read_chain({"layers": [{"size": 1}]}, config([A.diff_id], history=[{}])).history
    assert entry == HistoryEntry("", "1970-01-01T00:00:00Z", "", "", empty=False)
    assert entry.to_json() == {"created": "1970-01-01T00:00:00Z", "created_by": ""}


def test_missing_history_is_padded_at_the_bottom() -> None:
    last, empty = HistoryEntry("RUN c"), HistoryEntry("ENV x=1", empty=True)
    chain = Chain((A, B, C), (last, empty))
    assert chain.history == (HistoryEntry(""), HistoryEntry(""), last, empty)


def test_history_for_more_layers_than_there_are_stays() -> None:
    history = (HistoryEntry("RUN a"), HistoryEntry("RUN b"))
    assert Chain((A,), history).history == history


def test_a_layer_is_added_on_top() -> None:
    first, second = HistoryEntry("RUN a"), HistoryEntry("RUN b")
    assert Chain().add(A, first).add(B, second) == Chain((A, B), (first, second))


def test_a_note_makes_no_layer() -> None:
    chain = Chain((A,), (HistoryEntry("RUN a"),)).note(HistoryEntry("ENV x=1"))
    assert chain.layers == (A,)
    assert chain.history == (HistoryEntry("RUN a"), HistoryEntry("ENV x=1", empty=True))


@pytest.mark.parametrize(
    ("count", "length"),
    [(0, 0), (1, 2), (2, 4)],
)
def test_the_lowest_layers_end_with_the_history_of_the_last(count: int, length: int) -> None:
    history = (
        HistoryEntry("ARG", empty=True),
        HistoryEntry("RUN a"),
        HistoryEntry("ENV", empty=True),
        HistoryEntry("RUN b"),
        HistoryEntry("CMD", empty=True),
    )
    assert Chain((A, B), history).lowest(count) == Chain((A, B)[:count], history[:length])


def test_times_are_reported_in_utc_to_the_microsecond() -> None:
    assert timestamp_text(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
