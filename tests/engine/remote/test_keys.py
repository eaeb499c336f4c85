"""What makes layers of two machines the same, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.remote.conftest import Machines, problems

TEXT = f"FROM {BUSYBOX}\nCOPY data /data\nRUN cat /data > /copy\n"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


def build(machine: Machines, context: Path, declared: dict[str, Any], **session: Any) -> Any:
    """The id of the image, and how many steps were run for it."""
    with machine().session(**session) as builds:
        image = builds.build(TEXT, context, **declared)
        assert problems(builds) == []
        return image.id, len(builds.executed())


def test_layers_with_and_without_an_epoch_are_never_shared(
    machine: Machines, place: DirectoryPlace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    build(machine, context, {}, cache_to=place)
    dated, steps = build(
        machine, context, {"build_args": EPOCH}, cache_from=(place,), cache_to=place
    )
    assert steps == 2
    assert build(machine, context, {"build_args": EPOCH}, cache_from=(place,)) == (dated, 0)


def test_two_machines_make_the_same_image_of_the_same_epoch(
    machine: Machines, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    first = build(machine, context, {"build_args": EPOCH})
    assert build(machine, context, {"build_args": EPOCH}) == first


def test_scopes_share_nothing(machine: Machines, place: DirectoryPlace, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    build(machine, context, {}, cache_to=place)
    _, steps = build(machine, context, {}, cache_from=(place,), cache_scope="other")
    assert steps == 2


CHANGES: dict[str, tuple[Callable[[Path], None], int]] = {
    "owner": (lambda path: os.chown(path, 1234, 1234), 0),
    "time": (lambda path: os.utime(path, (1, 1)), 0),
    "mode": (lambda path: path.chmod(0o664), 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkout_with_other_owners_and_times_has_the_same_layers_with_other_modes_not(
    machine: Machines, place: DirectoryPlace, tmp_path: Path, change: str
) -> None:
    alter, steps = CHANGES[change]
    if change == "owner" and os.geteuid() != 0:
        pytest.skip("only root may give files away")
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    (context / "data").chmod(0o644)
    image, _ = build(machine, context, {}, cache_to=place)
    alter(context / "data")
    again = build(machine, context, {}, cache_from=(place,))
    assert again[1] == steps
    assert (again[0] == image) == (steps == 0)
