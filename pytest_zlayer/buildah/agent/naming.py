"""Names of images change one after the other.

buildah 1.28 writes all names of an image as it has read them some moments before: of two commands
that name or remove at once one is undone, and a name comes back or is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence

from .filelocks import locked
from .layers import Records, Unreadable


@contextlib.contextmanager
def names_locked(options: Sequence[str]) -> Iterator[None]:
    """Holds the names of the storage that these global options of buildah name against others.

    Where that is not to be had the command is given all the same, and tells what is wrong.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Unreadable, OSError):
            file = os.path.join(Records.named_by(options).root, "zlayer", "names.lock")
            held.enter_context(locked(file, fcntl.LOCK_EX))
        yield
