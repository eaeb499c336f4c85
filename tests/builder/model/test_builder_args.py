"""Build arguments for the builder."""

from __future__ import annotations

import pytest

from pytest_zlayer.builder.model.builder_args import cache_mount_id, sandbox_hostname
from pytest_zlayer.errors import UsageError


@pytest.mark.parametrize(
    ("given", "name"), [(None, "buildkitsandbox"), ("", "buildkitsandbox"), ("a-1.x", "a-1.x")]
)
def test_host_name(given: str | None, name: str) -> None:
    args = {} if given is None else {"BUILDKIT_SANDBOX_HOSTNAME": given}
    assert sandbox_hostname(args) == name


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 65, "a\n", "é"])
def test_no_host_name(name: str) -> None:
    with pytest.raises(UsageError, match="is no host name"):
        sandbox_hostname({"BUILDKIT_SANDBOX_HOSTNAME": name})


def test_cache_mounts_of_a_namespace_have_other_ids() -> None:
    assert cache_mount_id("/c", {}) == "/c"
    assert cache_mount_id("/c", {"BUILDKIT_CACHE_MOUNT_NS": "one"}) == "one//c"
