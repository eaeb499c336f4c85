"""Taking buildah's specification: a program that stands in for the OCI runtime once."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.runtime.specification import (
    NotUnderstood,
    Specification,
    understand,
)
from pytest_zlayer.lazy import late_pattern

_NAMED = late_pattern(r'^(name|id)="(.*)"$', re.MULTILINE)


def stand_in(directory: Path, runtime: str) -> Path | None:
    """A program to be given to buildah as its runtime; ``None`` where no program can be put."""
    if os.statvfs(directory).f_flag & os.ST_NOEXEC:
        return None
    script = directory / f"in-place-of-{os.path.basename(runtime)}"
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("stand_in.py"))]
    line = shlex.join([*program, str(taken_file(directory)), runtime])
    script.write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return script


def taken_file(directory: Path) -> Path:
    """Where the stand-in writes what it has seen."""
    return directory / "specification.json"


def taken(directory: Path) -> Specification:
    """What the stand-in has seen; afterwards that is gone.

    Raises:
        NotUnderstood: it has seen nothing, or something that is not understood.
    """
    file = taken_file(directory)
    try:
        found = json.loads(file.read_bytes())
        file.unlink()
        return understand(found, _container(found))
    except (OSError, ValueError) as error:
        raise NotUnderstood(f"nothing was taken: {error}") from error


def _container(found: Mapping[str, Any]) -> tuple[str, str]:
    """Name and id of the container, which buildah has written into a file of it."""
    for file in found["files"].values():
        named = dict(_NAMED.findall(str(file["text"])))
        if "id" in named:
            return named["name"], named["id"]
    raise NotUnderstood("no file says which container it is")
