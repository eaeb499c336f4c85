"""Images in directories: whether there is room for them, before the engine unpacks any of it.

What is not as it should be in any other way is left to the engine, which says what it is.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.commands.local_place import split_place
from pytest_zlayer.builder.files.compression import CompressionError, is_damage
from pytest_zlayer.builder.files.documents import read_document
from pytest_zlayer.builder.files.room import lacks_room
from pytest_zlayer.builder.files.tar_reader import tar_stream
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

REF_NAME = "org.opencontainers.image.ref.name"
_DIGEST = late_pattern("[a-z0-9]+:[0-9a-f]+")


def refuse_without_room(
    source: str,
    shown: str,
    room: Path,
    *,
    known: Collection[str] = (),
    check: Callable[[], None] = go_on,
) -> None:
    """Refuse an image whose files say that they are larger than the disk they would be put on.

    A sparse file of a few bytes may say that it is larger than any disk. The engine writes it out.

    Args:
        source: ``oci:PATH[:TAG]`` or ``dir:PATH``.
        shown: how to call it in messages.
        room: a directory of the disk.
        known: digests of the layers that the engine has, and does not unpack again.
        check: raises when this is to stop.

    Raises:
        UsageError: there is no room, or a document of the image is too long to be read.
    """
    total = 0
    for digest, layer in dict(_Directory(*split_place(source)).layers(check)).items():
        for name, size in () if digest in known else _files(layer, check):
            total += size
            problem = lacks_room(name, size, room) or lacks_room("its content", total, room)
            if problem is not None:
                raise UsageError(
                    f"{shown} cannot be unpacked: {problem}",
                    hint="free some space there, or use a storage on a larger disk",
                )


@dataclass(frozen=True, slots=True)
class _Directory:
    """An image in a directory: its kind, where it is, and which of several it is."""

    kind: str
    place: str
    tag: str

    def layers(self, check: Callable[[], None]) -> Iterator[tuple[str, Path]]:
        """Digest and file of each layer; of a list of images, those of all of them."""
        waiting, seen = self._manifests(), set[Path]()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            check()
            seen.add(path)
            document = _read(path)
            for digest in _digests(document.get("config")):
                _read(self._blob(digest))  # the engine reads it whole
            waiting += [self._manifest(digest) for digest in _digests(document.get("manifests"))]
            yield from ((one, self._blob(one)) for one in _digests(document.get("layers")))

    def _manifests(self) -> list[Path]:
        if self.kind == "dir":
            return [Path(self.place, "manifest.json")]
        listed = _read(Path(self.place, "index.json")).get("manifests")
        named = [one for one in _list(listed) if _name(one) == self.tag]
        return [self._manifest(digest) for digest in _digests(named or listed)]

    def _manifest(self, digest: str) -> Path:
        """Where a manifest is that a list names."""
        blob = self._blob(digest)
        return blob.with_name(f"{blob.name}.manifest.json") if self.kind == "dir" else blob

    def _blob(self, digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        between = ("blobs", algorithm) if self.kind == "oci" else ()
        return Path(self.place, *between, name)


def _read(path: Path) -> Mapping[str, Any]:
    """A document; an empty one where there is none that can be read."""
    try:
        found = json.loads(read_document(path, str(path))) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _name(descriptor: object) -> object:
    annotations = descriptor.get("annotations") if isinstance(descriptor, dict) else None
    return annotations.get(REF_NAME) if isinstance(annotations, dict) else None


def _digests(descriptors: object) -> list[str]:
    """The digests in one descriptor or in many."""
    found = [one.get("digest") for one in _list(descriptors) if isinstance(one, dict)]
    return [one for one in found if isinstance(one, str) and _DIGEST.fullmatch(one)]


def _files(layer: Path, check: Callable[[], None]) -> Iterator[tuple[str, int]]:
    """Name and size, in bytes, of the files of a layer, as far as it can be read."""
    try:
        if layer.is_file():
            with layer.open("rb") as file, tar_stream(file, check) as tar:
                yield from ((member.name, member.size) for member in tar if _has_content(member))
    except CompressionError:
        return
    except Exception as error:
        if not is_damage(error):
            raise


def _has_content(member: tarfile.TarInfo) -> bool:
    """Whether it is a file; what is of no known type counts as one."""
    return member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
