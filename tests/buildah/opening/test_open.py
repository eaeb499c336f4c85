"""Names and places of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.buildah.opening.open import container_prefix, image_folder, temporary_base


def test_names_tell_whose_they_are() -> None:
    assert container_prefix("0123abcd", "gw0") == "zl-0123abcd-gw0-"
    assert image_folder("0123abcd", "gw0") == "localhost/zlayer/session/0123abcd-gw0/"


def test_no_session_is_the_beginning_of_another() -> None:
    assert not container_prefix("s10", "main").startswith(container_prefix("s1", "main"))


def test_temporary_files_go_where_the_user_says(tmp_path: Path) -> None:
    assert temporary_base({"TMPDIR": str(tmp_path)}) == tmp_path
    assert temporary_base({}) == Path("/var/tmp")


def test_temporary_directory_that_is_not_there() -> None:
    with pytest.raises(EngineUnusable) as caught:
        temporary_base({"TMPDIR": "/no/such"})
    assert caught.value.message == "nothing can be written to the temporary directory /no/such"
