"""What is seen to before an engine is opened."""

from __future__ import annotations

import sys

import pytest

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.session.open_engine import open_engine
from pytest_zlayer.errors import UsageError


def test_file_names_that_are_not_utf8_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    with pytest.raises(UsageError) as caught:
        open_engine(BuildOptions(environment={}), "0123456789ab")
    assert str(caught.value) == (
        "Python takes the names of files here for iso8859-1: in images they are UTF-8\n"
        "hint: set PYTHONUTF8=1, or a locale with UTF-8 (LC_ALL=C.UTF-8)"
    )
