"""Logs as conmon writes them."""

from __future__ import annotations

from pytest_zlayer.builder.image.log import LogLine, as_text
from pytest_zlayer.services import runtime
from pytest_zlayer.services.log import parse_log

TIME = "2026-11-26T21:43:57.856509892+00:00"


def test_a_line_has_time_stream_and_text():
    [line] = parse_log([f"{TIME} stderr F two words\n"])
    assert line == LogLine(TIME, "stderr", "two words")
    assert str(line) == "21:43:57.856 stderr two words"


def test_parts_of_a_line_are_put_together_by_stream():
    written = [f"{TIME} stdout P be", f"{TIME} stderr F other", f"{TIME} stdout F gun"]
    assert [one.text for one in parse_log(written)] == ["other", "begun"]


def test_a_last_line_without_an_end_is_there():
    assert [one.text for one in parse_log([f"{TIME} stdout P unfinished"])] == ["unfinished"]


def test_an_empty_line_counts_and_rubbish_does_not():
    assert [one.text for one in parse_log([f"{TIME} stdout F", "rubbish", ""])] == [""]


def test_a_file_begins_anew_before_it_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "_LOG_SIZE", 1000)
    file = runtime.LogFile(tmp_path / "log")
    for number in range(100):
        file.add("stdout", f"line {number}\n")
        assert (tmp_path / "log").stat().st_size <= 1000
    texts = [one.text for one in file.lines()]
    assert texts[-1] == "line 99"
    assert texts == [f"line {number}" for number in range(100 - len(texts), 100)]
    file.close_file()


def test_a_file_tells_lines_that_have_no_end(tmp_path):
    file = runtime.LogFile(tmp_path / "log")
    for text in ("a", "b\r\n", "c"):
        file.add("stdout", text)
    file.end_lines()
    file.add("stdout", "d\n")
    assert [one.text for one in file.lines()] == ["ab", "c", "d"]
    file.close_file()


def test_one_stream_and_the_last_lines():
    lines = [
        LogLine(TIME, "stdout", "1"),
        LogLine(TIME, "stderr", "2"),
        LogLine(TIME, "stdout", "3"),
    ]
    assert as_text(lines, None, None) == "1\n2\n3\n"
    assert as_text(lines, "stdout", 1) == "3\n"
    assert as_text(lines, None, 0) == ""
