"""Removing directory trees."""

from __future__ import annotations

import os
import stat


def remove_tree(path: str, last: str = "") -> None:
    """Removes a directory without ever leaving its file system, so nothing mounted is emptied.

    ``last`` is the name in it that goes after all others.
    """
    try:
        device = os.lstat(path).st_dev
    except OSError:
        return
    _remove_below(path, device, last)


def _remove_below(path: str, device: int, last: str = "") -> None:
    try:
        with os.scandir(path) as found:
            entries = list(found)
    except PermissionError:
        os.chmod(path, stat.S_IRWXU)
        entries = list(os.scandir(path))
    except OSError:
        return
    for entry in sorted(entries, key=lambda one: one.name == last):
        try:
            if entry.stat(follow_symlinks=False).st_dev != device:
                continue
            if entry.is_dir(follow_symlinks=False):
                _remove_below(entry.path, device)
            else:
                os.unlink(entry.path)
        except OSError:
            continue
    try:
        os.rmdir(path)
    except OSError:
        return
