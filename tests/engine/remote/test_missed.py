"""Why layers are not found in a place is reported: what differs from the nearest entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from pytest_zlayer.events import LayersMissed
from tests.engine.building import Builds, write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.remote.conftest import Machines, Shared

TEXT = f"FROM {BUSYBOX}\nARG WHO=nobody\nCOPY src /src\nRUN echo $WHO > /who\n"


def missed(builds: Builds) -> list[tuple[str, str]]:
    return [(one.text, one.reason) for one in builds.events if isinstance(one, LayersMissed)]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return write_files(tmp_path / "context", {"src/a": "1", "src/b": "1"})


CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "argument": (
        {"build_args": {"WHO": "me"}},
        "RUN echo $WHO > /who",
        "variable WHO differs from the nearest entry",
    ),
    "command": (
        {"text": TEXT.replace("echo", "printf %s")},
        "RUN printf %s $WHO > /who",
        "its command differs from the nearest entry",
    ),
    "file": (
        {"files": {"src/a": "2"}},
        "COPY src /src",
        "its files differ from the nearest entry: src/a (changed)",
    ),
    "new file": (
        {"files": {"src/c": "1"}},
        "COPY src /src",
        "its files differ from the nearest entry: src/c (new)",
    ),
    "mode": (
        {"mode": 0o600},
        "COPY src /src",
        "its files differ from the nearest entry: src/b (mode 600, not 644)",
    ),
    "scope": (
        {"cache_scope": "arm"},
        "COPY src /src",
        "its cache scope is arm, and none in the nearest entry",
    ),
    "base": (
        {"text": "FROM scratch\nCOPY src /src\n"},
        "COPY src /src",
        "its base image is scratch, and ",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_reason_is_reported(
    machine: Machines, place: DirectoryPlace, context: Path, change: str
) -> None:
    changes, text, reason = CHANGES[change]
    changes = dict(changes)
    (context / "src" / "b").chmod(0o644)
    with machine().session(cache_to=place) as first:
        first.build(TEXT, context, name="it")
    write_files(context, changes.pop("files", {}))
    (context / "src" / "b").chmod(changes.pop("mode", 0o644))
    scope = {"cache_scope": changes.pop("cache_scope", "")}
    dockerfile = changes.pop("text", TEXT)
    with machine().session(cache_from=(place,), **scope) as second:
        second.build(dockerfile, context, name="it", **changes)
    ((reported_text, reported),) = missed(second)
    assert reported_text == text
    assert reported.startswith(reason)


def test_what_nobody_has_built_is_reported(
    machine: Machines, place: DirectoryPlace, context: Path
) -> None:
    with machine().session(cache_from=(place,)) as builds:
        builds.build(TEXT, context)
    assert missed(builds) == [("COPY src /src", "no place has an entry of this stage")]


def test_a_stage_that_is_found_is_not_reported(
    machine: Machines, place: DirectoryPlace, context: Path
) -> None:
    with machine().session(cache_to=place) as first:
        first.build(TEXT, context)
    with machine().session(cache_from=(place,)) as second:
        second.build(TEXT, context)
    assert missed(second) == []


def test_a_registry_tells_it_with_one_question(shared: Shared) -> None:
    shared.fill()
    write_files(shared.context, {"data": "changed\n"})
    with shared.session(cache_from=(shared.place,)) as builds:
        builds.build(f"FROM {BUSYBOX}\nRUN echo one > /one\nCOPY data /\n", shared.context)
    ((text, reason),) = missed(builds)
    assert (text, reason) == (
        "COPY data /",
        "its files differ from the nearest entry: data (changed)",
    )
