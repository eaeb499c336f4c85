"""Makes ``rootfs.tar``: a root file system that holds the static busybox of this machine.

``python rootfs.py --find`` makes nothing and only says by its exit status whether there is one.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

ROOTFS = Path(__file__).with_name("rootfs.tar")
# Distributions whose plain busybox is dynamic call the static one by the longer names.
NAMES = ("busybox.static", "busybox-static", "busybox")
DIRECTORIES = {"bin": 0o755, "etc": 0o755, "root": 0o700, "srv": 0o755, "tmp": 0o1777}
PROGRAM_INTERPRETER = 3
MISSING = "no static busybox on PATH: install busybox-static (or busybox on Fedora and Arch)"


def needs_a_loader(binary: bytes) -> bool:
    """Whether an ELF program asks for a dynamic loader, which an empty file system has not."""
    wide = binary[4] == 2
    order = "little" if binary[5] == 1 else "big"

    def number(offset: int, size: int) -> int:
        return int.from_bytes(binary[offset : offset + size], order)

    table = number(0x20, 8) if wide else number(0x1C, 4)
    size, count = (number(0x36, 2), number(0x38, 2)) if wide else (number(0x2A, 2), number(0x2C, 2))
    return any(number(table + i * size, 4) == PROGRAM_INTERPRETER for i in range(count))


def find_busybox() -> bytes | None:
    """The first busybox on PATH that runs without shared libraries."""
    for name in NAMES:
        if (path := shutil.which(name)) is not None:
            binary = Path(path).read_bytes()
            if binary.startswith(b"\x7fELF") and not needs_a_loader(binary):
                return binary
    return None


def archive(busybox: bytes) -> bytes:
    """The same bytes for the same busybox, so that layers made of it can be cached."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, mode in DIRECTORIES.items():
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, len(busybox)
        tar.addfile(program, io.BytesIO(busybox))
    return content.getvalue()


def make_rootfs() -> None:
    """Write ``rootfs.tar`` unless it is there; safe when several processes do it at once.

    Raises FileNotFoundError when this machine has no static busybox.
    """
    if (busybox := find_busybox()) is None:
        raise FileNotFoundError(MISSING)
    content = archive(busybox)
    if ROOTFS.exists() and ROOTFS.read_bytes() == content:
        return
    aside = ROOTFS.with_name(f".rootfs.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(ROOTFS)


if __name__ == "__main__":
    if sys.argv[1:] == ["--find"]:
        sys.exit(None if find_busybox() else MISSING)
    make_rootfs()
