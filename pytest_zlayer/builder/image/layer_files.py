"""What stands in the layers of an image, one by one: the names and sizes in their tars.

The storage keeps beside every layer how its tar was made up (``NAME.tar-split.gz``, from
github.com/vbatts/tar-split: JSON lines, those of type 1 name a file and its size, those of type 2
hold the bytes between files, the headers among them). So a layer's listing is read in place,
by an ordinary user too, without unpacking or copying a layer.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.storage.index import split_files
from pytest_zlayer.builder.files.tar_reader import tar_stream
from pytest_zlayer.checks.waste import LayerFile

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.storage.info import StorageInfo

_FILE, _SEGMENT = 1, 2
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError)


def read_layer_files(storage: StorageInfo, image_id: str) -> list[list[LayerFile]] | None:
    """The files of each layer from the bottom up, or ``None`` when the storage does not tell."""
    files = split_files(storage, image_id)
    try:
        return None if files is None else [list(_split_files(one)) for one in files]
    except _UNREADABLE:
        return None


def _split_files(path: Path) -> Iterator[LayerFile]:
    header = b""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] == _SEGMENT:
                header = base64.b64decode(entry["payload"])
            elif entry["type"] == _FILE:
                yield LayerFile(_name(entry), int(entry.get("size") or 0), _is_directory(header))


def _name(entry: Mapping[str, Any]) -> str:
    if "name" in entry:
        return str(entry["name"])
    return base64.b64decode(entry["name_raw"]).decode("utf-8", "surrogateescape")


def _is_directory(header: bytes) -> bool:
    """Whether the last header before a file's content is that of a directory."""
    return header[-tarfile.BLOCKSIZE :][156:157] == tarfile.DIRTYPE


def pushed_layer_files(engine: Engine, image_id: str, directory: Path) -> list[list[LayerFile]]:
    """The same by way of a copy of the image: for storages that keep layers in another way."""
    try:
        engine.registries.export(image_id, directory)
        manifest = json.loads((directory / "manifest.json").read_bytes())
        blobs = [directory / one["digest"].partition(":")[2] for one in manifest["layers"]]
        return [list(_tar_files(blob)) for blob in blobs]
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _tar_files(path: Path) -> Iterator[LayerFile]:
    with path.open("rb") as file, tar_stream(file) as tar:
        for member in tar:
            yield LayerFile(member.name, member.size if member.isreg() else 0, member.isdir())
