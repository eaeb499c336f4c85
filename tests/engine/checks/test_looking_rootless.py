"""Looking into images as an ordinary user, whose storage only a user namespace can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engine.test_engine_rootless import home, run_as_ordinary_user

__all__ = ["home"]

HERE = Path(__file__).parent
CHOSEN = (
    "difference_of_two or wasted_is_read_in_place or by_patterns or of_an_image_and_of "
    "or snapshot or exported_as or on_images_and_containers"
)


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_an_ordinary_user_looks_into_images_in_place(home: Path) -> None:
    run_as_ordinary_user(home, CHOSEN, HERE / "test_looking.py")
