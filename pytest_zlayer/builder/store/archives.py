"""Images in archives and directories, as layouts that can be imported.

An archive of docker is never given to the engine as it is: that would give the names in it to
what it holds, and take them from images of other people.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.commands.local_place import split_place
from pytest_zlayer.builder.files.compression import GZIP, CompressionError, is_damage
from pytest_zlayer.builder.files.documents import read_document
from pytest_zlayer.builder.files.paths import clean
from pytest_zlayer.builder.files.room import lacks_room
from pytest_zlayer.builder.files.tar_reader import tar_stream
from pytest_zlayer.builder.stopping import StoppableFile, go_on
from pytest_zlayer.builder.store.image_directory import REF_NAME
from pytest_zlayer.choices import IMAGE_DIRECTORIES, IMAGES_IN_FILES
from pytest_zlayer.errors import UsageError

TRANSPORTS = tuple(f"{kind}:" for kind in IMAGES_IN_FILES)


def is_archive_reference(text: str) -> bool:
    """Whether a text names an image in an archive or directory of this machine."""
    return text.startswith(TRANSPORTS)


def split_reference(text: str) -> tuple[str, Path, str]:
    """Kind, path and what comes after it (a tag or name, may be empty).

    Raises:
        UsageError: nothing is there.
    """
    kind, place, tag = split_place(text)
    path = Path(place)
    if not path.exists():
        raise UsageError(f"there is no {path} (of {text!r})")
    if kind in IMAGE_DIRECTORIES and not path.is_dir():
        raise UsageError(f"{kind}: needs a directory, and {path} is not one")
    return kind, path, tag


def unpack_archive(
    kind: str, path: Path, name: str, target: Path, check: Callable[[], None] = go_on
) -> str:
    """Unpack an archive into ``target``, which becomes an OCI layout; what is to be pulled from it.

    ``check`` raises when this is to stop.

    Raises:
        UsageError: it is no such archive, or holds several images and ``name`` is none of them.
    """
    with _opened(path, check) as tar:
        if kind == "docker-archive":
            return _docker_layout(tar, path, name, target, check)
        _extract(tar, target, check)
        index = _json(target / "index.json", path)
        names = [one.get("annotations", {}).get(REF_NAME, "") for one in index.get("manifests", [])]
        _chosen(names, name, path)
    return f"oci:{target}{f':{name}' if name else ''}"


# What reading a document raises that is not as it should be.
_OF_ANOTHER_SHAPE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)


@contextmanager
def _opened(path: Path, check: Callable[[], None]) -> Iterator[tarfile.TarFile]:
    """The archive, plain or compressed, to be read once from its start."""
    try:
        with path.open("rb") as file, tar_stream(file, check) as tar:
            yield tar
    except CompressionError as error:
        raise UsageError(f"{path} cannot be read: {error.message}", hint=error.hint) from error
    except Exception as error:
        if not is_damage(error) and not isinstance(error, _OF_ANOTHER_SHAPE):
            raise
        raise UsageError(f"{path} cannot be read as an archive of an image: {error}") from error


def _extract(tar: tarfile.TarFile, target: Path, check: Callable[[], None]) -> None:
    """Write the plain files of an archive, none of them outside of ``target``."""
    links = []
    for member in tar:
        check()
        place = target / clean(member.name)[1:]
        if member.issym() or member.islnk():
            links.append((place, _link_target(member)))
        content = tar.extractfile(member) if member.isreg() else None
        if content is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            problem = lacks_room(member.name, member.size, target)
            if problem is not None:
                raise UsageError(problem, hint="set TMPDIR to a directory on a larger disk")
            with place.open("wb") as file:
                shutil.copyfileobj(StoppableFile(content, check), file, 1 << 20)
    for place, path in links:
        source = target / path
        if source.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(source)


def _link_target(member: tarfile.TarInfo) -> str:
    """Where a link leads in the archive; docker writes them for a layer that is there twice."""
    beside = posixpath.dirname(member.name) if member.issym() else ""
    return clean(posixpath.join(beside, member.linkname))[1:]


def _chosen(names: list[str], name: str, path: Path) -> int:
    """Which image of an archive is meant."""
    known = ", ".join(one or "(without a name)" for one in names)
    if name:
        if name not in names:
            raise UsageError(f"{path} holds no image {name!r}", hint=f"it holds: {known}")
        return names.index(name)
    if len(names) != 1:
        raise UsageError(
            f"{path} holds {len(names)} images" if names else f"{path} holds no image",
            hint=f"say which one, {path}:NAME; it holds: {known}" if names else None,
        )
    return 0


def _json(path: Path, archive: Path) -> Any:
    try:
        return json.loads(read_document(path, f"{path.name} of {archive}"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{archive} is no archive of an image: it has no {path.name}") from error


def _docker_layout(
    tar: tarfile.TarFile, path: Path, name: str, target: Path, check: Callable[[], None]
) -> str:
    (target / "docker").mkdir()
    _extract(tar, target / "docker", check)
    top = target / "docker"
    images = _json(top / "manifest.json", path)
    names = [tag for one in images for tag in one.get("RepoTags") or [""]]
    owners = [number for number, one in enumerate(images) for _ in one.get("RepoTags") or [""]]
    chosen = images[owners[_chosen(names, name, path)]] if len(images) != 1 or name else images[0]
    return _write_dir(top, chosen, path, target / "layout", check)


def _digest(path: Path, check: Callable[[], None]) -> str:
    summary = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := StoppableFile(file, check).read(1 << 20):
            summary.update(chunk)
    return f"sha256:{summary.hexdigest()}"


def _write_dir(
    top: Path, image: dict[str, Any], archive: Path, target: Path, check: Callable[[], None]
) -> str:
    """What ``dir:`` takes: manifest, configuration and layers side by side, named by digests."""
    target.mkdir()
    config = read_document(top / clean(image["Config"])[1:], f"{image['Config']} of {archive}")
    (target / hashlib.sha256(config).hexdigest()).write_bytes(config)
    layers = []
    for diff_id, name in zip(
        json.loads(config)["rootfs"]["diff_ids"], image["Layers"], strict=True
    ):
        source = top / clean(name)[1:]
        digest, suffix = diff_id, ""
        with source.open("rb") as file:
            # As docker writes them that keeps its images in the store of containerd.
            if file.read(len(GZIP)) == GZIP:
                digest, suffix = _digest(source, check), ".gzip"
        blob = target / digest.partition(":")[2]
        if not blob.exists():
            blob.hardlink_to(source)
        layers.append(
            {
                "mediaType": f"application/vnd.docker.image.rootfs.diff.tar{suffix}",
                "digest": digest,
                "size": source.stat().st_size,
            }
        )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
            "size": len(config),
        },
        "layers": layers,
    }
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="ascii")
    (target / "version").write_text("Directory Transport Version: 1.1\n", encoding="ascii")
    return f"dir:{target}"
