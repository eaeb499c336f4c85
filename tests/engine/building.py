"""Sessions on a test storage, with everything they say written down."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.build_session import BuildSession
from pytest_zlayer.builder.session.hooks import BuildHooks
from pytest_zlayer.events import Event, OutputLine, StepComplete
from tests.engine.conftest import Storage


@dataclass
class Builds:
    """One session and its events."""

    session: BuildSession
    events: list[Event] = field(default_factory=list)

    def build(self, text: str, context: Path | None = None, **declared: Any) -> Image:
        """The image of an inline Dockerfile."""
        return self.session.build(ImageSpec(text=text, context=context, **declared))

    def said(self, line: str) -> bool:
        """Whether a step has written this line so far."""
        return any(isinstance(one, OutputLine) and one.text == line for one in self.events)

    def executed(self) -> list[str]:
        """The steps that were run, not taken from the cache."""
        return [
            event.text
            for event in self.events
            if isinstance(event, StepComplete) and not event.cached and event.seconds > 0
        ]


def make_options(storage: Storage, **changes: Any) -> BuildOptions:
    """Options for a session on ``storage``."""
    values: dict[str, Any] = {
        "buildah": storage.binary,
        "root": storage.root,
        "runroot": storage.runroot,
        "environment": {
            **storage.environment,
            "XDG_CACHE_HOME": str(storage.root.parent / "user-cache"),
        },
        "session_id": secrets.token_hex(6),
        "retry_delay": 0.01,
        **changes,
    }
    return BuildOptions(**values)


@contextmanager
def building(
    storage: Storage,
    *,
    hooks: BuildHooks | None = None,
    on_line: Callable[[str], object] | None = None,
    failed: bool = False,
    **changes: Any,
) -> Iterator[Builds]:
    """A session on ``storage``, closed afterwards; ``on_line`` hears what commands write."""
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if on_line is not None and isinstance(event, OutputLine):
            on_line(event.text)

    session = BuildSession(make_options(storage, **changes), listener=listen, hooks=hooks)
    try:
        yield Builds(session, events)
    finally:
        session.close(failed=failed)


def write_files(directory: Path, files: dict[str, str | bytes]) -> Path:
    """Files with their parents; the directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory
