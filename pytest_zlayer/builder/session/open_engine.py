"""Opening the engine: light enough to begin while the rest of this room is still being loaded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.waiting import Outcome, in_background

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine


def open_engine(options: BuildOptions, session_id: str) -> Engine:
    """The engine for one process of a session. Raises ``EngineMissing``, ``EngineUnusable``."""
    _check_file_names()
    with LOADING:
        from pytest_zlayer.buildah.engine import Engine

    return Engine.open(
        buildah=options.buildah,
        environment=options.environment,
        root=options.root,
        runroot=options.runroot,
        isolation=options.isolation,
        session=session_id,
        worker=options.worker,
        authfile=options.authfile,
    )


def _check_file_names() -> None:
    """Refuse encodings in which a name of a Dockerfile would be another file's."""
    encoding = sys.getfilesystemencoding()
    if encoding not in ("utf-8", "ascii"):
        raise UsageError(
            f"Python takes the names of files here for {encoding}: in images they are UTF-8",
            hint="set PYTHONUTF8=1, or a locale with UTF-8 (LC_ALL=C.UTF-8)",
        )


def begin_opening(options: BuildOptions, session_id: str) -> Outcome[Engine]:
    """Opens the engine in the background; the one who takes the result closes it."""
    return in_background(lambda: open_engine(options, session_id), "zlayer-opening")
