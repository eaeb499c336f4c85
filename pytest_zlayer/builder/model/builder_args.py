"""Build arguments that are settings of the builder, not variables: ``BUILDKIT_…``."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

SANDBOX_HOSTNAME = "BUILDKIT_SANDBOX_HOSTNAME"
CACHE_MOUNT_NS = "BUILDKIT_CACHE_MOUNT_NS"
# What every RUN sees as its host name, so that what it writes does not depend on the machine.
DEFAULT_HOSTNAME = "buildkitsandbox"
# As many characters as the kernel takes (sethostname(2)).
_HOSTNAME = late_pattern(r"[A-Za-z0-9_.-]{1,64}")


def sandbox_hostname(build_args: Mapping[str, str]) -> str:
    """The host name that RUN steps see.

    Raises:
        UsageError: no machine can be called so.
    """
    name = build_args.get(SANDBOX_HOSTNAME) or DEFAULT_HOSTNAME
    if not _HOSTNAME.fullmatch(name):
        raise UsageError(
            f"{SANDBOX_HOSTNAME}: {name[:80]!r} is no host name",
            hint="letters, digits, '.', '-' and '_', 64 at most",
        )
    return name


def cache_mount_id(identifier: str, build_args: Mapping[str, str]) -> str:
    """The id of a cache mount, in the namespace that a build argument names."""
    namespace = build_args.get(CACHE_MOUNT_NS)
    return f"{namespace}/{identifier}" if namespace else identifier
