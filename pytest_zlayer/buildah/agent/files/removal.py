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
        names = os.listdir(path)
    except PermissionError:
        os.chmod(path, stat.S_IRWXU)
        names = os.listdir(path)
    except OSError:
        return
    for name in sorted(names, key=lambda one: one == last):
        below = os.path.join(path, name)
        try:
            found = os.lstat(below)
            if found.st_dev != device:
                continue
            if stat.S_ISDIR(found.st_mode):
                _remove_below(below, device)
            else:
                os.unlink(below)
        except OSError:
            continue
    try:
        os.rmdir(path)
    except OSError:
        return
