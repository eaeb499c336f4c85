"""An image as plain, stable data: what a snapshot of it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.checks import words
from pytest_zlayer.checks.difference import entry_of
from pytest_zlayer.checks.files import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_zlayer.checks.subjects import HasConfig, HasFiles, HasPackages, HistoryLine

    class Recordable(HasFiles, HasConfig, HasPackages, Protocol):
        """What a snapshot can be made of."""

        @property
        def history(self) -> Sequence[HistoryLine]: ...


def snapshot(subject: Recordable, *, files: bool) -> dict[str, Any]:
    """Configuration, history and packages, with ``files`` also all files.

    Only what follows from the Dockerfile and its inputs: no ids, times or digests of layers, so
    that a rebuild of the same gives the same. Made of the types of JSON, keys in order.
    """
    found: dict[str, Any] = {
        "config": config_data(subject),
        "history": [one.created_by for one in subject.history],
        "packages": {name: subject.packages[name].version for name in sorted(subject.packages)},
    }
    if files:
        found["files"] = {str(path): data for path, data in _files(subject)}
    return found


def config_data(subject: HasConfig) -> dict[str, Any]:
    """The configuration in the types of JSON; what is not set is left out."""
    values = {one.name: _data(getattr(subject.config, one.name)) for one in fields(subject.config)}
    return {name: values[name] for name in sorted(values) if values[name] not in (None, "", [], {})}


def _data(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _data(value[key]) for key in sorted(value)}
    if isinstance(value, (tuple, list)):
        return [_data(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _data(getattr(value, name)) for name in sorted(value.__dataclass_fields__)}
    return value


def _files(subject: HasFiles) -> Any:
    for path, facts in subject.path("/").walk():
        entry = entry_of(path, facts)
        data: dict[str, Any] = {
            "type": entry.type,
            "mode": words.mode_text(entry.mode),
            "uid": entry.uid,
            "gid": entry.gid,
        }
        if entry.type == "file":
            data |= {"size": entry.size, "sha256": digest(path)}
        if entry.target is not None:
            data["target"] = entry.target
        yield path, data
