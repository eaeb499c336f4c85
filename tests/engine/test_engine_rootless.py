"""The engine for an ordinary user: its tests once more, in a user namespace.

Run as an ordinary user with subordinate ids, all other tests do that by themselves.
"""

from __future__ import annotations

from pathlib import Path

from tests.engine.ordinary_user import needs_root, run_as_ordinary_user

HERE = Path(__file__).parent
CHOSEN = (
    "auto and (hidden_environment_reaches or background_process or deaf or network_none "
    "or user_and_directory or to_the_user_of_the_engine and 9- or swept_by_the_next) "
    "or outlive_a_killed_agent "
    "or chroot and lines_come_by_stream or files_are_read_without"
)


@needs_root
def test_engine_works_for_an_ordinary_user(ordinary_home: Path) -> None:
    files = (HERE / f"test_engine_{name}.py" for name in ("run", "images", "crash"))
    run_as_ordinary_user(ordinary_home, CHOSEN, *files)
