"""The build context is complete once ``debian.tar`` is made: a small Debian with Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOTFS = Path(__file__).with_name("debian.tar")
SUITE = "bookworm"


def make_rootfs() -> None:
    """Write ``debian.tar`` unless it is there; safe when several processes do it at once."""
    if ROOTFS.exists():
        return
    aside = ROOTFS.with_name(f".debian.{os.getpid()}.tar")
    words = ["--quiet", "--variant=essential", "--include=redis-server"]
    subprocess.run(["mmdebstrap", *words, SUITE, str(aside)], check=True)
    aside.replace(ROOTFS)


def pytest_configure() -> None:
    if shutil.which("mmdebstrap") is None:
        raise pytest.UsageError("this example needs mmdebstrap, which makes a small Debian")
    make_rootfs()
