"""When cached layers were used last."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_zlayer.builder.cache.uses import Uses

HOUR, DAY = 3600.0, 86400.0
BASE = "docker.io/library/busybox:latest"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "used"


@pytest.fixture
def uses(directory: Path) -> Uses:
    return Uses(directory)


def age(directory: Path, seconds: float) -> None:
    """Make all that was noted so far that much older."""
    for stamp in directory.iterdir():
        os.utime(stamp, (time.time() - seconds,) * 2)


def kept(directory: Path) -> list[str]:
    return sorted(stamp.name for stamp in directory.iterdir())


def test_what_was_noted_is_known_to_other_processes(uses: Uses, directory: Path) -> None:
    uses.note("key")
    age(directory, DAY)
    assert time.time() - Uses(directory).last("key") >= DAY
    uses.note("key")
    assert time.time() - Uses(directory).last("key") < DAY


def test_a_use_that_is_still_to_come_counts_as_now_and_grows_old(
    uses: Uses, directory: Path
) -> None:
    uses.note("key")
    age(directory, -365 * DAY)
    assert uses.last("key") <= time.time()
    assert (directory / "key").stat().st_mtime <= time.time()
    age(directory, DAY)
    assert time.time() - uses.last("key") >= DAY


def test_what_nobody_has_noted_counts_as_used_now(uses: Uses) -> None:
    before = time.time()
    assert before <= uses.last("key") <= time.time()


def test_noting_a_use_fails_no_build(uses: Uses, directory: Path) -> None:
    directory.rmdir()
    uses.note("key")
    assert not directory.exists()


def test_what_was_removed_is_forgotten_once(uses: Uses, directory: Path) -> None:
    uses.note("key")
    uses.forget("key")
    uses.forget("key")
    assert kept(directory) == []


def test_bases_are_remembered_apart_from_keys(uses: Uses, directory: Path) -> None:
    uses.note_base(BASE)
    assert Uses(directory).knows_base(BASE)
    assert not uses.knows_base("docker.io/library/alpine:latest")
    assert kept(directory)[0].startswith("base-")


def test_what_is_in_the_store_stays_noted(uses: Uses, directory: Path) -> None:
    uses.note("key")
    age(directory, 30 * DAY)
    uses.tidy({"key"}, DAY, alone=True)
    assert kept(directory) == ["key"]


def test_what_this_process_has_noted_goes_when_it_is_not_in_the_store(
    uses: Uses, directory: Path
) -> None:
    uses.note("key")
    uses.tidy((), DAY, alone=False)
    assert kept(directory) == []


def test_what_another_process_may_be_storing_stays_for_an_hour(uses: Uses, directory: Path) -> None:
    Uses(directory).note("key")
    uses.tidy((), DAY, alone=False)
    assert kept(directory) == ["key"]
    age(directory, HOUR + 1)
    uses.tidy((), DAY, alone=False)
    assert kept(directory) == []


def test_what_nobody_can_be_storing_goes_at_once(uses: Uses, directory: Path) -> None:
    Uses(directory).note("key")
    uses.tidy((), DAY, alone=True)
    assert kept(directory) == []


def test_bases_stay_while_there_are_layers(uses: Uses, directory: Path) -> None:
    uses.note_base(BASE)
    uses.tidy({"key"}, DAY, alone=True)
    uses.tidy((), DAY, alone=False)
    assert uses.knows_base(BASE)
    uses.tidy((), DAY, alone=True)
    assert not uses.knows_base(BASE)


def test_bases_go_that_were_not_used_for_long(uses: Uses, directory: Path) -> None:
    uses.note_base(BASE)
    age(directory, DAY + 1)
    uses.tidy({"key"}, DAY, alone=False)
    assert not uses.knows_base(BASE)
