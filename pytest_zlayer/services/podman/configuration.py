"""Keeping podman on a storage of its own apart from the user's podman.

podman keeps what it knows of containers beside the images (``ROOT/libpod``), and their locks and
the mark by which it sees a reboot in places for the whole machine. On a storage that the user's
podman uses too, all of that is left as it is configured. On any other one it gets places of its
own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.lazy import late_pattern

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

_SYSTEM_FILES = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_TABLE = late_pattern(r"^\[engine\][^\S\n]*(?:#.*)?$", re.MULTILINE)
_LOCKS = late_pattern(r"^\s*lock_type\s*=", re.MULTILINE)
_FILE_LOCKS = 'lock_type = "file"'
_DATABASE = "libpod"
_MARK = "podman"


def has_own_places(engine: Engine) -> bool:
    """Whether the storage was named for this run, and no podman was there before us."""
    mark = engine.storage.state / _MARK
    if not engine.own_storage:
        return False
    if not mark.exists() and not (engine.storage.root / _DATABASE).exists():
        mark.mkdir(mode=0o700, parents=True, exist_ok=True)
    return mark.exists()


def write_configuration(engine: Engine, environment: Mapping[str, str]) -> None:
    """The user's configuration with one change, where that can be made."""
    text = _with_file_locks(engine, environment)
    file = engine.storage.state / "containers.conf"
    if text is None:
        file.unlink(missing_ok=True)
    elif not file.exists() or file.read_text(encoding="utf-8") != text:
        unfinished = file.with_name(f"{file.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)


def _with_file_locks(engine: Engine, environment: Mapping[str, str]) -> str | None:
    """The user's configuration with locks in files; ``None`` where it is not one file.

    Otherwise the locks lie in memory that all podmans of the user share, and the first command on
    a new storage takes all of them for unused.
    """
    named = environment.get("CONTAINERS_CONF")
    home = Path(environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config")
    own = [str(home / "containers" / "containers.conf")] if engine.rootless else []
    folders = [Path(f"{one}.d") for one in (*_SYSTEM_FILES, *own)]
    if not named and any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
        return None
    files = [named] if named else [*_SYSTEM_FILES, *own]
    texts = [text for text in map(_meaningful, files) if text]
    if len(texts) > 1 or any(map(_LOCKS.search, texts)):
        return None
    text = texts[0] if texts else ""
    if _TABLE.search(text):
        return _TABLE.sub(lambda found: f"{found[0]}\n{_FILE_LOCKS}", text, count=1)
    return f"{text}\n[engine]\n{_FILE_LOCKS}\n"


def _meaningful(file: str) -> str:
    """The text of a configuration, empty when it sets nothing."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError:
        return ""
    lines = (line.strip() for line in text.splitlines())
    return text if any(line and line[0] not in "#[" for line in lines) else ""
