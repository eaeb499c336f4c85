"""Looking into images as an ordinary user, whose storage only a user namespace can read."""

from __future__ import annotations

from pathlib import Path

from tests.engine.ordinary_user import needs_root, run_as_ordinary_user

HERE = Path(__file__).parent
CHOSEN = (
    "difference_of_two or wasted_is_read_in_place or by_patterns or of_an_image_and_of "
    "or snapshot or exported_as or on_images_and_containers"
)


@needs_root
def test_an_ordinary_user_looks_into_images_in_place(ordinary_home: Path) -> None:
    run_as_ordinary_user(ordinary_home, CHOSEN, HERE / "test_looking.py")
