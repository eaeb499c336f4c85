"""``to_dict`` is what snapshot plugins can store, and find again after a rebuild."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.plugins.conftest import REPOSITORY, Environment
from tests.engine.test_surface import Project

pytestmark = pytest.mark.network

CHECKS = REPOSITORY / "docs" / "checks.md"


def documented_tests() -> str:
    """The block below the title "Snapshots"."""
    section = CHECKS.read_text(encoding="utf-8").partition("## Snapshots")[2]
    return "import pytest\n\n" + section.partition("```python\n")[2].partition("```")[0]


def test_snapshots_hold_after_a_rebuild_and_tell_of_changes(
    together: Environment, own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    dockerfile = f'FROM {BUSYBOX}\nRUN echo 1 > /one\nENV A=1\nCMD ["serve"]\n'
    folder = write_files(
        tmp_path / "p", {"test_it.py": documented_tests(), "services/api/Dockerfile": dockerfile}
    )
    variables = Project(folder, own_storage).environment
    ours = {name: one for name, one in variables.items() if name.startswith(("ZLAYER", "TMP"))}

    def run(*args: str, code: int = 0) -> str:
        return together.pytest(folder, "-q", "--zlayer-no-cache", *args, code=code, **ours)

    run("--snapshot-update", "--force-regen", code=1)  # which pytest-regressions fails with
    assert (folder / "test_it" / "test_files.yml").is_file()
    assert "2 passed" in run()
    write_files(folder, {"services/api/Dockerfile": dockerfile.replace("A=1", "A=2")})
    told = run(code=1)
    assert "2 failed" in told
    assert "A: '2'" in told or '"A": "2"' in told or "'A': '2'" in told
