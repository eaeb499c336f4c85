"""The error of COPY, ADD, USER and WORKDIR when files or names are not as they must be."""

from __future__ import annotations

from pytest_zlayer.errors import ZlayerError


class CopyError(ZlayerError):
    """Files cannot be copied as asked; the message is BuildKit's where BuildKit has one."""
