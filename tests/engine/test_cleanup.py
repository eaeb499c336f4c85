"""What is left in the store after a session: nothing, or what was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.prune import prune
from tests.engine.building import building, make_options
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.waiting import wait_until

TEXT = f"FROM {BUSYBOX} AS first\nRUN echo 1 > /one\nFROM first\nRUN echo 2 > /two\n"
BROKEN = f"FROM {BUSYBOX}\nRUN echo half > /half; exit 1\n"


@pytest.fixture
def fresh(own_storage: Storage, tmp_path: Path) -> Storage:
    """A storage with nothing but the busybox image."""
    add_busybox(own_storage, tmp_path / "busybox")
    return own_storage


def test_nothing_is_left_after_a_build(fresh: Storage) -> None:
    before = fresh.leftovers()
    with building(fresh, cache="session") as builds:
        builds.build(TEXT, tags=("localhost/test/mine:1",)).run(["true"])

    assert fresh.leftovers() == before
    assert fresh.image_names() == [BUSYBOX]


def test_nothing_is_left_after_a_failed_build(fresh: Storage) -> None:
    before = fresh.leftovers()
    with building(fresh, cache="session", failed=True) as builds:
        with pytest.raises(BuildError):
            builds.build(BROKEN)
        assert fresh.container_names() == []

    assert fresh.leftovers() == before
    assert fresh.image_names() == [BUSYBOX]


def test_keep_all_leaves_images_and_stages_with_commands_that_work(fresh: Storage) -> None:
    with building(fresh, keep="all") as builds:
        builds.build(TEXT, name="mine")
    kept = {one.label: one for one in builds.session.kept}

    assert {label: one.kind for label, one in kept.items()} == {
        "mine": "image",
        "mine#first": "stage",
    }
    assert _typed(kept["mine"].command, "cat /one /two") == "1\n2\n"
    assert _typed(kept["mine#first"].command, "ls /two; cat /one") == "1\n"
    assert fresh.container_names() == []


COPIED = f"FROM {BUSYBOX} AS first\nRUN echo 1 > /one\nFROM {BUSYBOX}\nCOPY --from=first /one /\n"


@pytest.fixture
def elsewhere(fresh: Storage, tmp_path: Path) -> DirectoryPlace:
    """Where the layers of ``COPIED`` are, which are no longer in the storage."""
    place = DirectoryPlace(tmp_path / "place")
    with building(fresh, cache_to=place) as builds:
        builds.build(COPIED)
    prune(make_options(fresh), everything=True)
    return place


def test_keep_all_leaves_stages_although_builds_ahead_are_still_going_on(
    fresh: Storage, elsewhere: DirectoryPlace
) -> None:
    with building(fresh, keep="all", cache_from=(elsewhere,)) as builds:
        builds.build(COPIED, name="mine")
        builds.session.prebuild([ImageSpec(text=f"FROM {BUSYBOX}\nRUN echo begun; sleep 600\n")])
        wait_until(lambda: builds.said("begun"), "a build ahead")

    assert {one.label for one in builds.session.kept} == {"mine", "mine#first"}


def test_keep_all_leaves_what_is_there_when_the_run_is_interrupted(
    fresh: Storage, elsewhere: DirectoryPlace
) -> None:
    with building(fresh, keep="all", cache_from=(elsewhere,)) as builds:
        builds.build(COPIED, name="mine")
        builds.session.interrupt()

    assert {one.label for one in builds.session.kept} == {"mine"}


def test_keep_failed_leaves_the_container_of_the_failed_step(fresh: Storage) -> None:
    with building(fresh, keep="failed", failed=True) as builds, pytest.raises(BuildError):
        builds.build(BROKEN, name="broken")

    [kept] = builds.session.kept
    assert kept.kind == "container"
    assert _typed(kept.command, "cat /half") == "half\n"


def test_keep_failed_leaves_nothing_when_nothing_failed(fresh: Storage) -> None:
    with building(fresh, keep="failed", cache="session") as builds:
        builds.build(TEXT)

    assert builds.session.kept == ()
    assert fresh.image_names() == [BUSYBOX]


def test_prune_removes_what_was_kept(fresh: Storage) -> None:
    with building(fresh, keep="all", failed=True) as builds:
        builds.build(TEXT)
        with pytest.raises(BuildError):
            builds.build(BROKEN)

    prune(make_options(fresh), everything=True)

    assert fresh.container_names() == []
    assert fresh.image_names() == [BUSYBOX]


def _typed(command: str, inside: str) -> str:
    """What a pasted command prints when somebody types ``inside`` into its shell."""
    program = f"{sys.executable} -m pytest_zlayer"
    done = subprocess.run(
        ["sh", "-c", command.replace("pytest-zlayer", program, 1)],
        input=f"{inside} 2>/dev/null\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if len(line) < 64)
