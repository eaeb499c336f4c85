"""What verbs write in the jobs of CI services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

BROKEN = "FROM scratch\nRUM ##[error]x\n"
FINDING = "FROM scratch\nMAINTAINER ##[error]x section_start:1:x\n"


@pytest.mark.parametrize("service", ["GITHUB_ACTIONS", "GITLAB_CI"])
@pytest.mark.parametrize("verb", ["plan", "parse", "lint"])
@pytest.mark.parametrize("text", [BROKEN, FINDING])
def test_no_text_is_a_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, service: str, verb: str, text: str
) -> None:
    monkeypatch.setenv(service, "true")
    folder = Path("::error::folder")
    folder.mkdir()
    (folder / "Dockerfile").write_text(text)
    done = run(verb, f"{folder}{'' if verb == 'plan' else '/Dockerfile'}")
    lines = f"{done.out}{done.err}".splitlines()
    assert lines
    assert [one for one in lines if one.lstrip().startswith("::")] == []
    assert [one for one in lines if "##[" in one or "section_start:" in one] == []


def test_what_programs_read_is_left_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text(FINDING)
    plain = run("parse", "Dockerfile", "--json").out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert run("parse", "Dockerfile", "--json").out == plain
    assert "##[error]" in plain
