"""The shells that run commands written as a string where no SHELL instruction names another."""

from __future__ import annotations

DEFAULT_SHELL = ("/bin/sh", "-c")
WINDOWS_SHELL = ("cmd", "/S", "/C")
