"""A failed step is run again as an ordinary user, in a user namespace."""

from __future__ import annotations

from pathlib import Path

from tests.engine.ordinary_user import needs_root, run_as_ordinary_user

HERE = Path(__file__).parent
CHOSEN = (
    "runs_again_as_it_was or shell_has_all or terminal_is_one or nothing_is_left "
    "or copy_that_failed"
)


@needs_root
def test_an_ordinary_user_debugs_a_failed_step(ordinary_home: Path) -> None:
    run_as_ordinary_user(ordinary_home, CHOSEN, HERE / "test_debug.py")
