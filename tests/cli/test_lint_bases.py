"""``lint`` and the variables that base images define."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builder.store.test_stored_bases import image

TEXT = "FROM own\nLABEL a=$KNOWN b=$UNKNOWN\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    image(tmp_path / "root", "localhost/own:latest", ["KNOWN=1"])
    return tmp_path / "root"


def test_variables_of_an_image_in_the_store_are_known(run, root: Path):
    Path("Dockerfile").write_text(TEXT)
    done = run("lint", "--root", str(root), "Dockerfile")
    assert done.out.startswith(
        "Dockerfile:2:18: warning: UndefinedVar: Usage of undefined variable '$UNKNOWN'"
    )
    assert done.out.endswith("1 finding in 1 file\n")


def test_nothing_is_said_of_variables_that_nobody_knows(run, tmp_path: Path):
    Path("Dockerfile").write_text(TEXT)
    done = run("lint", "--root", str(tmp_path / "empty"), "Dockerfile")
    assert done.out == "0 findings in 1 file\n"
