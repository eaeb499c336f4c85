"""Directories of this machine that images are pulled from, by names that buildah can use.

buildah 1.28 names what it pulls from an OCI layout after the path, in which capitals, blanks and
many other characters are an error. So it is given a link.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.choices import IMAGE_DIRECTORIES
from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A reference to a directory.

    Attributes:
        kind: ``oci`` or ``dir``.
        path: the directory.
        tag: which image of it, empty where there is one.
    """

    kind: str
    path: str
    tag: str

    @classmethod
    def of(cls, reference: str) -> LocalPlace | None:
        """``None`` for references of other kinds."""
        kind, path, tag = split_place(reference)
        return cls(kind, path, tag) if kind in IMAGE_DIRECTORIES else None

    @property
    def name(self) -> str:
        """What the link is called, and by buildah 1.28 the image, below ``localhost/``."""
        return f"place-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"

    def linked(self, directory: Path) -> str:
        """The reference below ``directory``, with a link there; it goes with the directory."""
        with suppress(FileExistsError):
            (directory / self.name).symlink_to(Path(self.path).absolute())
        return f"{self.kind}:{self.name}{f':{self.tag}' if self.tag else ''}"

    def in_words_of_the_caller(self, done: Completed) -> Completed:
        """What buildah said, with the path instead of the link."""
        return replace(
            done,
            argv=tuple(word.replace(self.name, self.path) for word in done.argv),
            stderr_tail=tuple(line.replace(self.name, self.path) for line in done.stderr_tail),
        )


def split_place(reference: str) -> tuple[str, str, str]:
    """The kind, the path and the tag (or name) in ``KIND:PATH[:TAG]``; a path may have colons."""
    kind, _, path = reference.partition(":")
    tag = ""
    if not Path(path).exists():
        path, _, tag = path.partition(":")
    return kind, path, tag


def local_name(reference: str) -> str:
    """What buildah 1.28 calls an image pulled from a directory; empty for other references."""
    place = LocalPlace.of(reference)
    return place.name if place else ""
