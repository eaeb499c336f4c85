"""Build checks as items: one a Dockerfile, not run again while nothing has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.context.examined_file import examine_file, read_by
from pytest_zlayer.builder.context.small_file import read_small
from pytest_zlayer.builder.store.stored_bases import StoredBases
from pytest_zlayer.dockerfile.lint.report import github_lines
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.plugin.items.check_item import CheckItem
from pytest_zlayer.plugin.state import state_of

_CACHE = "zlayer/lint"


class DockerfileChecks(pytest.File):
    """A Dockerfile that is checked."""

    def collect(self) -> Iterable[pytest.Item]:
        """The one item."""
        yield LintItem.from_parent(self, name="lint")


class LintItem(CheckItem):
    """The build checks on one Dockerfile; each finding fails it."""

    def problems(self) -> list[str]:
        """What the checks find, each with its line and a caret."""
        key = self._key()
        cache: Any = getattr(self.config, "cache", None)  # gone with -p no:cacheprovider
        known: dict[str, Any] = cache.get(_CACHE, {}) if cache is not None else {}
        if known.get(self.nodeid) == key:
            return []
        found = self._find()
        if cache is not None and not found:
            # Read anew: several Dockerfiles may have been checked since.
            cache.set(_CACHE, {**cache.get(_CACHE, {}), self.nodeid: key})
        return found

    def _find(self) -> list[str]:
        settings = state_of(self.config).settings
        try:
            report = examine_file(
                self.path,
                shown=self.nodeid.split("::")[0],
                build_args=settings["build-arg"],
                contexts=tuple(settings["build-context"]),
                bases=self._bases(),
            )
        except ZlayerError as error:
            return str(error).splitlines()
        self.annotations = tuple(github_lines([report]))
        return [line for one in report.lines() for line in one.splitlines()]

    def _bases(self) -> StoredBases:
        settings = state_of(self.config).settings
        return StoredBases(settings["root"], settings["registry"], settings.environment)

    def _key(self) -> str:
        """A digest of all that the outcome depends on."""
        settings = state_of(self.config).settings
        given = (
            _version(),
            dict(settings["build-arg"]),
            dict(settings["build-context"]),
            self._bases().version(),
        )
        summary = hashlib.sha256(repr(given).encode())
        for path in read_by(self.path):
            summary.update(_content(path))
        return summary.hexdigest()


def _content(path: Path) -> bytes:
    try:
        return read_small(path)
    except UsageError:  # told when it is checked
        return b""


def _version() -> str:
    from importlib.metadata import version

    return version("pytest-zlayer")
