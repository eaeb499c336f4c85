"""What single lines say that buildah has written."""

from __future__ import annotations

import pytest

from pytest_zlayer.buildah.messages.lines import log_errors, own_retry, own_words, says_broken_pipe


def test_errors_in_the_log_are_found() -> None:
    error = 'time="2026-11-23T04:54:59Z" level=error msg="Can\'t add file x to tar"'
    warning = 'time="2026-11-23T04:54:59Z" level=warning msg="x"'
    assert log_errors([warning, error, "Error: x"]) == [error]


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("Error: exit status 3", 0),
        ("Error: while running runtime: exit status 3", 0),
        ("Error: while running runtime: signal: terminated", 0),
        ("subprocess exited with status 3", 0),
        ("subprocess exited on killed", 0),
        ("no endError: while running runtime: exit status 3", 6),
        ("no endsubprocess exited with status 3", 6),
        ("Error: exit status three", None),
        ("make: *** Error 1", None),
    ],
)
def test_where_buildahs_own_words_may_begin(line: str, begins: int | None) -> None:
    assert own_words(line) == begins


def test_buildah_says_when_it_is_about_to_try_again() -> None:
    line = (
        'time="2026-01-01T00:00:00Z" level=warning msg="Failed, retrying in 2s ... (1/3). '
        'Error: Get \\"http://x/v2/\\": EOF"'
    )
    assert own_retry(line) == 'Get "http://x/v2/": EOF'


def test_other_warnings_are_no_new_try() -> None:
    assert own_retry('time="2026-01-01T00:00:00Z" level=warning msg="Failed to do this"') is None


def test_broken_pipe_hides_what_was_wrong() -> None:
    said = [
        "Error: committing container: copying layers: io: read/write on closed pipe",
        "Error: exit status 125",
    ]
    assert says_broken_pipe(said)
    assert not says_broken_pipe(said[1:])
