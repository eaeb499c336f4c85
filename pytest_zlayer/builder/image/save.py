"""Handing images to files and to other engines."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.image.image_like import ImageLike, SaveFormat
from pytest_zlayer.builder.oci.config import without_field
from pytest_zlayer.builder.oci.layout import manifest_type
from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

# Of a warning: the line with ``Image.save``.
_OF_THE_CALLER = 5


def save(engine: Engine, image: ImageLike, path: Path, image_format: SaveFormat) -> Path:
    """Write an image to ``path``, a manifest list with all its images; the path.

    A file that is there is replaced. What buildah drops from an image when it changes its format is
    named in a warning.

    Raises:
        UsageError: a manifest list, and a format that holds one image; or no directory to write to.
        EngineError: it cannot be written.
    """
    if image.is_manifest_list and image_format == "docker-archive":
        raise UsageError(f"{image.label} is a manifest list, which {image_format} cannot hold")
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"{image.label} cannot be saved as {path}: there is no directory {path.parent}"
        )
    if image_format.startswith("oci"):
        _tell_what_is_dropped(engine, image, image_format)
    name = ""
    if image_format.endswith("archive"):
        path.unlink(missing_ok=True)  # buildah does not write into an archive that is there
        name = f":{image.tags[0]}" if image.tags else ""
    target = f"{image_format}:{path.absolute()}{name}"
    if image.is_manifest_list:
        engine.registries.manifest_push(image.name, target)
    else:
        engine.registries.push(image.id, target)
    return path


def _tell_what_is_dropped(engine: Engine, image: ImageLike, image_format: SaveFormat) -> None:
    for one in image.platforms.values() or (image,):
        lost = without_field(one.config)
        is_oci = engine.images.inspect(one.id).manifest.get("mediaType") == manifest_type("oci")
        if lost and not is_oci:
            text = f"saving {one.label} as {image_format} drops {', '.join(lost)}"
            advice = 'build it with format="oci", or save it as docker-archive'
            warnings.warn(f"{text}: {advice}", stacklevel=_OF_THE_CALLER)


def load_into(engine: Engine, image: ImageLike, other: str, scratch: Path) -> str:
    """Hand an image to docker or podman; its name there. Of a manifest list, the native one.

    Raises:
        EngineError: the other engine is not installed, does not answer or does not want it.
    """
    name = image.tags[0] if image.tags else f"localhost/zlayer:{image.short_id}"
    archive = scratch / f"load-{image.short_id}.tar"
    engine.registries.push(image.native_id, f"docker-archive:{archive}:{name}")
    try:
        done = engine.process([other, "load", "--quiet", "--input", str(archive)])
    except EngineError as error:
        if error.interrupted:
            raise
        failure = _failure(image, other, f"{other} is not installed", f"install {other}")
        raise EngineError(failure, command=error.command) from error
    finally:
        archive.unlink(missing_ok=True)
    if done.exit_code != 0:
        said = done.stderr_tail[-1] if done.stderr_tail else f"exit status {done.exit_code}"
        failure = _failure(image, other, said, f"check that {other} works")
        raise EngineError(failure, command=done.argv, stderr=done.stderr_tail)
    return name


def _failure(image: ImageLike, other: str, reason: str, hint: str) -> Failure:
    return Failure("environment", f"cannot load {image.label} into {other}: {reason}", hint)
