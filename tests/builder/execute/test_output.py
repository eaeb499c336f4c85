"""Output of a step on its way to the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_zlayer.builder.execute.output import LoggedStream

OWN = b"Error: exit status 3\n"


def logged(*chunks: bytes, hide: bool) -> list[bytes]:
    """What reaches the log, in pieces."""
    pieces: list[bytes] = []
    stream = LoggedStream(pieces.append)
    for one in chunks:
        stream.write(one)
    stream.finish(hide=hide)
    return pieces


@given(st.lists(st.binary(max_size=8)), st.booleans())
def test_every_byte_arrives_and_the_last_line_gets_its_end(chunks: list[bytes], hide: bool) -> None:
    whole = b"".join(chunks)
    ended = whole if not whole or whole.endswith(b"\n") else whole + b"\n"
    assert b"".join(logged(*chunks, hide=hide)) == ended


def test_only_whole_lines_are_written_before_the_end() -> None:
    assert logged(b"on", b"e\ntwo\nth", b"ree", hide=False) == [b"one\ntwo\n", b"three\n"]


def test_bytes_without_a_line_end_are_not_kept_for_ever() -> None:
    long = b"x" * (64 * 1024)
    assert logged(long, b"y", b"z\n", hide=False) == [long + b"y", b"z\n"]


@pytest.mark.parametrize(
    ("chunks", "hidden"),
    [
        ((b"out\n", OWN), b"out\n"),
        ((b"out", OWN), b"out\n"),
        ((OWN, b"out\n"), OWN + b"out\n"),
        ((OWN,), b""),
    ],
)
def test_what_buildah_adds_to_a_failed_command_is_left_out(
    chunks: tuple[bytes, ...], hidden: bytes
) -> None:
    assert b"".join(logged(*chunks, hide=True)) == hidden
    assert b"".join(logged(*chunks, hide=False)) == b"".join(chunks)
