"""Files that later layers hide or overwrite: bytes that nobody can read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from pytest_zlayer.dataclass import dataclass

# OCI image-spec, layer.md: how a layer says that something is gone.
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A name in a layer's tar, as it stands there, with the bytes of its content."""

    name: str
    size: int
    is_directory: bool


@dataclass(frozen=True, slots=True)
class WastedFile:
    """A file that a later layer hides or writes again; ``size`` in bytes, ``layer`` from 1."""

    path: str
    size: int
    layer: int


def wasted_files(layers: Sequence[Iterable[LayerFile]]) -> tuple[WastedFile, ...]:
    """The files that are hidden or written again, from the lowest layer up."""
    stack = _Stack()
    for number, files in enumerate(layers, 1):
        stack.add(number, files)
    return tuple(sorted(stack.wasted, key=lambda one: (one.layer, one.path)))


class _Stack:
    """The files that can be seen so far: a tree of names, and what has been lost."""

    def __init__(self) -> None:
        self.wasted: list[WastedFile] = []
        self._root: _Node = _Node()

    def add(self, number: int, files: Iterable[LayerFile]) -> None:
        entries = [(_path(one.name), one) for one in files]
        # What a layer takes away are things of the layers below it, wherever it says so.
        for path, _ in entries:
            folder, name = posixpath.split(path)
            if name == _OPAQUE:
                self._lose_below(self._node(folder))
            elif name.startswith(_WHITEOUT):
                self._lose(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        for path, entry in entries:
            if not posixpath.basename(path).startswith(_WHITEOUT):
                self._put(path, number, entry)

    def _put(self, path: str, number: int, entry: LayerFile) -> None:
        if not entry.is_directory:
            self._lose(path)
        node = self._root
        for name in _names(path):
            node = node.children.setdefault(name, _Node())
        if node.file is not None and node.file.size:
            self.wasted.append(node.file)
        node.file = None if entry.is_directory else WastedFile(path, entry.size, number)

    def _node(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for name in _names(path):
            node = node.children.get(name) if node is not None else None
        return node

    def _lose(self, path: str) -> None:
        folder, name = posixpath.split(path)
        parent = self._node(folder)
        node = parent.children.pop(name, None) if parent is not None else None
        if node is not None:
            self._count(node)

    def _lose_below(self, node: _Node | None) -> None:
        if node is not None:
            for child in node.children.values():
                self._count(child)
            node.children.clear()

    def _count(self, node: _Node) -> None:
        if node.file is not None and node.file.size:
            self.wasted.append(node.file)
        for child in node.children.values():
            self._count(child)


class _Node:
    __slots__ = ("children", "file")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.file: WastedFile | None = None


def _path(name: str) -> str:
    return posixpath.normpath("/" + name.lstrip("/"))


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
