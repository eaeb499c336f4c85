"""Lines out of bytes, and what is kept of them."""

from __future__ import annotations

import pytest

from pytest_zlayer.buildah.process.output import LineSplitter, Tail, TrailingFilter, without_end


def texts(*chunks: bytes, longest: int = 100) -> list[str]:
    splitter = LineSplitter(longest)
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*found, *splitter.feed(b"", final=True)]


def lines(*chunks: bytes, longest: int = 100) -> list[str]:
    return [without_end(text) for text in texts(*chunks, longest=longest)]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"a\r\n", b"\r\n"], ["a", ""]),
        ([b"50%\r100%\n"], ["50%\r100%"]),
        ([b"\n\n"], ["", ""]),
        ([], []),
        ([b"\xc3", b"\xa9\n"], ["é"]),
        ([b"a\xffb\n"], ["a\ufffdb"]),
        ([b"\xc3"], ["\ufffd"]),
    ],
)
def test_lines(chunks: list[bytes], expected: list[str]) -> None:
    assert lines(*chunks) == expected


def test_line_comes_as_soon_as_it_is_complete() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"one\ntwo")) == ["one\n"]


@pytest.mark.parametrize(
    "written", ["a\r\n\nb", "a\r", "x" * 25 + "\ny\n", "x" * 25, "x" * 20 + "\r\n"]
)
def test_nothing_is_lost_and_nothing_added(written: str) -> None:
    assert "".join(texts(written.encode(), longest=10)) == written


def test_long_line_comes_in_pieces() -> None:
    assert lines(b"x" * 25 + b"\ny\n", longest=10) == ["x" * 10, "x" * 10, "x" * 5, "y"]


def test_line_without_an_end_is_not_collected() -> None:
    splitter = LineSplitter(longest=10)
    assert len(list(splitter.feed(b"x" * 1000))) == 99


def test_tail_keeps_the_last_lines() -> None:
    tail = Tail(lines=2, characters=100)
    for line in ("a", "b", "c"):
        tail.add(line)
    assert tail.lines == ("b", "c")


def test_tail_is_bounded_in_characters() -> None:
    tail = Tail(lines=100, characters=10)
    for line in ("aaaa", "bbbb", "cccc"):
        tail.add(line)
    assert tail.lines == ("bbbb", "cccc")


def test_tail_keeps_one_line_however_long() -> None:
    tail = Tail(lines=10, characters=3)
    tail.add("long line")
    assert tail.lines == ("long line",)


def held(*given: str, release: bool) -> list[str]:
    passed: list[str] = []
    trailing = TrailingFilter(lambda line: line.find("!") if "!" in line else None, passed.append)
    for line in given:
        trailing.add(line)
    trailing.finish(hide=not release)
    return passed


def test_suspicious_lines_at_the_end_are_held_back() -> None:
    assert held("a", "!b", "!c", release=False) == ["a"]


def test_suspicious_lines_in_the_middle_are_passed_on() -> None:
    assert held("a", "!b", "c", release=False) == ["a", "!b", "c"]


def test_what_stands_before_suspicious_words_is_passed_on() -> None:
    assert held("a", "b!c", "!d", release=False) == ["a", "b"]
    assert held("!a", "b!c", "!d", "e", release=False) == ["!a", "b!c", "!d", "e"]


def test_no_more_than_four_lines_are_held_back() -> None:
    assert held("!1", "!2", "!3", "!4", "!5", release=False) == ["!1", "!2", "!3", "!4"]


def test_held_back_lines_can_be_released() -> None:
    assert held("a", "!b", release=True) == ["a", "!b"]
