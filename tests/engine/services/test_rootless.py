"""Services of an ordinary user: tests of both engines once more, in a user namespace."""

from __future__ import annotations

from pathlib import Path

from tests.engine.ordinary_user import needs_root, run_as_ordinary_user

HERE = Path(__file__).parent
CHOSEN = (
    "takes_the_strongest or podman_serves_on_the_network "
    "or auto and (listens_where or see_its_processes or stopped_and_killed or answers_a_second "
    "or later_is_in or ends_with_the_container) "
    "or chroot and not without and (listens_where or see_its_processes or answers_a_second) "
    "or there_for_the_next and not without or seen_by_all or exit_code_of_what_it_leaves"
)


@needs_root
def test_services_of_an_ordinary_user(ordinary_home: Path) -> None:
    names = ("test_runtime.py", "test_container.py", "test_every_engine.py")
    output = run_as_ordinary_user(ordinary_home, CHOSEN, *(HERE / name for name in names))
    assert "20 passed" in output
