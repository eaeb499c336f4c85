"""Cache places for an ordinary user: some of their tests once more, in a user namespace."""

from __future__ import annotations

from pathlib import Path

from tests.engine.ordinary_user import needs_root, run_as_ordinary_user

HERE = Path(__file__).parent
CHOSEN = (
    "test_another_machine_runs_no_step_and_gets_the_same_image "
    "or test_what_is_fetched_gets_its_base"
)


@needs_root
def test_layers_are_shared_by_ordinary_users(ordinary_home: Path) -> None:
    names = ("directory_place", "registry_place", "described_bases")
    files = (HERE / f"test_{name}.py" for name in names)
    output = run_as_ordinary_user(ordinary_home, CHOSEN, *files)
    assert "skipped" not in output, output
