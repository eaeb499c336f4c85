"""Several layer tars become one with the same effect on what lies below them."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.stopping import StoppableFile, go_on
from pytest_zlayer.dataclass import dataclass

# OCI image-spec, "layer.md", whiteouts.
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class _Survivor:
    """A member that is still there at the end, and the layer it comes from."""

    member: tarfile.TarInfo
    layer: int


def merge_layers(layers: Sequence[Path], target: Path, check: Callable[[], None] = go_on) -> Layer:
    """Write one uncompressed layer that does what ``layers`` (bottom first) do together.

    ``check`` raises when this is to stop.
    """
    with ExitStack() as stack:
        tars = [stack.enter_context(tarfile.open(path)) for path in layers]
        merged = _Merged(check)
        for number, tar in enumerate(tars):
            merged.apply(number, tar)
        merged.write(tars, target)
    return Layer(f"sha256:{_sha256(target, check)}", target.stat().st_size, target)


def _sha256(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as plain:
        file = StoppableFile(plain, check)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class _Merged:
    """What is left of the layers so far, by path."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._found: dict[str, _Survivor] = {}

    def apply(self, number: int, tar: tarfile.TarFile) -> None:
        """Put one more layer on top."""
        members = [(_clean(member.name), member) for member in tar.getmembers()]
        for path, _ in members:  # what a layer hides is what lies below it, wherever it says so
            self._hide(path, number)
        for path, member in members:
            self._check()
            self._put(path, member, number)

    def _hide(self, path: str, number: int) -> None:
        directory, name = posixpath.split(path)
        if name == _OPAQUE:
            self._drop(directory, number, itself=False)
        elif name.startswith(_WHITEOUT):
            self._drop(posixpath.join(directory, name.removeprefix(_WHITEOUT)), number)

    def _put(self, path: str, member: tarfile.TarInfo, number: int) -> None:
        directory, name = posixpath.split(path)
        before = self._found.get(path)
        removed = self._found.pop(posixpath.join(directory, _WHITEOUT + name), None)
        if not member.isdir():
            self._drop(path, number)
        elif removed is not None or (before is not None and not before.member.isdir()):
            # A directory in place of one that was removed: what lies below it stays hidden.
            opaque = tarfile.TarInfo(posixpath.join(path, _OPAQUE))
            self._found[opaque.name] = _Survivor(opaque, number)
        self._found[path] = _Survivor(member, number)

    def _drop(self, path: str, number: int, *, itself: bool = True) -> None:
        below = f"{path}/" if path else ""
        for known in [one for one in self._found if one.startswith(below) or one == path]:
            if self._found[known].layer < number and (itself or known != path):
                del self._found[known]

    def write(self, tars: Sequence[tarfile.TarFile], target: Path) -> None:
        """Write what is left, layer by layer: links still come after what they link to."""
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
            for survivor in sorted(self._found.values(), key=lambda one: one.layer):
                self._check()
                self._write_one(out, tars[survivor.layer], survivor)

    def _write_one(self, out: tarfile.TarFile, tar: tarfile.TarFile, survivor: _Survivor) -> None:
        member = survivor.member
        if member.islnk() and not self._still(member.linkname, survivor.layer):
            # The other name is gone: this one takes over the content.
            original = tar.getmember(member.linkname)
            out.addfile(
                original.replace(name=member.name, deep=False), self._content(tar, original)
            )
            return
        out.addfile(member, self._content(tar, member) if member.isreg() else None)

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
        content = tar.extractfile(member)
        return None if content is None else cast("IO[bytes]", StoppableFile(content, self._check))

    def _still(self, name: str, layer: int) -> bool:
        found = self._found.get(_clean(name))
        return found is not None and found.layer == layer


def _clean(name: str) -> str:
    return posixpath.normpath(f"/{name}").lstrip("/")
