"""The date that everything in an image gets, where only the server of a source can tell it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from pytest_zlayer.builder.context.build_context import newest_entry
from pytest_zlayer.builder.context.sources import host_path, whole
from pytest_zlayer.builder.copy import CopyError, Fetch
from pytest_zlayer.builder.plan.epoch import NAME, RemoteDate
from pytest_zlayer.dockerfile.operations.kinds import MAIN_CONTEXT
from pytest_zlayer.errors import UsageError


def fetch_date(wanted: RemoteDate, fetch: Fetch) -> int | None:
    """Seconds since the epoch; ``None`` when neither server nor source has a date.

    Raises:
        UsageError: the source cannot be had.
    """
    operation = replace(whole(MAIN_CONTEXT, wanted.source), checksum=wanted.checksum)
    try:
        fetched = fetch(wanted.source, operation)
    except CopyError as error:
        raise UsageError(f"{NAME}: {error.message}", hint=error.hint) from error
    if fetched.time is None and not fetched.is_directory:
        with suppress(UsageError):  # no archive
            return newest_entry(host_path(fetched.rootfs, fetched.place))
    return fetched.time
