"""How much of an image has come: without a terminal buildah prints no bytes, but writes files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Download:
    """What one pull has fetched.

    buildah (1.28 to 1.39) puts each layer into a file below its TMPDIR as it comes, and removes the
    files when all layers are stored.

    Attributes:
        tmpdir: the TMPDIR of this pull alone.
    """

    def __init__(self, tmpdir: str) -> None:
        self.tmpdir = tmpdir
        self._sizes: dict[str, int] = {}

    def size(self) -> int:
        """Bytes that have come so far, as the registry holds them, of files that are gone too."""
        for folder, _, names in os.walk(self.tmpdir):
            for path in (os.path.join(folder, name) for name in names):
                with suppress(OSError):
                    self._sizes[path] = max(self._sizes.get(path, 0), os.lstat(path).st_size)
        return sum(self._sizes.values())


@contextmanager
def downloading(tmpdir: Path) -> Iterator[Download]:
    """A download whose files lie below ``tmpdir``, the session's, and go with it at the latest."""
    own = tempfile.mkdtemp(prefix="pull-", dir=tmpdir)
    try:
        yield Download(own)
    finally:
        shutil.rmtree(own, ignore_errors=True)
