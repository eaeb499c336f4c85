"""Where images may be pushed."""

from __future__ import annotations

import pytest

from pytest_zlayer.buildah.commands.transfer import checked_destination
from pytest_zlayer.errors import UsageError


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("localhost:5000/a:1", "docker://localhost:5000/a:1"),
        ("docker://localhost:5000/a:1", "docker://localhost:5000/a:1"),
        ("registry.example/a/b", "docker://registry.example/a/b"),
        ("a:1", "docker://a:1"),
        ("oci-archive:/p/a.tar", "oci-archive:/p/a.tar"),
        ("docker-archive:/p/a.tar:localhost/a:1", "docker-archive:/p/a.tar:localhost/a:1"),
        ("oci:/p/dir", "oci:/p/dir"),
        ("dir:/p", "dir:/p"),
        ("docker-daemon:a:1", "docker-daemon:a:1"),
    ],
)
def test_destination(given: str, checked: str) -> None:
    assert checked_destination(given) == checked


@pytest.mark.parametrize("given", ["", "-x", "containers-storage:[x]a", "docker://-x", "oci:"])
def test_what_is_no_destination(given: str) -> None:
    with pytest.raises(UsageError):
        checked_destination(given)
