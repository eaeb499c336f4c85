"""What stays in the store after a session because somebody asked for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.builder.image.kept import Kept

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

KEPT_REPOSITORY = "localhost/zlayer/kept"
KEPT_CONTAINER = "zlayer-kept-"


def own_name(image_id: str) -> str:
    """What an image is called that was built to stay and got no name."""
    return f"{KEPT_REPOSITORY}:built-{image_id[:12]}"


def keep_image(engine: Engine, image: Image) -> Kept:
    """Give an image a name that outlives the session."""
    name = f"{KEPT_REPOSITORY}:{_stem(image.label)}-{image.short_id}"
    engine.tag(image.id, name)
    kind: Literal["image", "stage"] = "stage" if "#" in image.label else "image"
    return Kept(kind, name, image.label, look_into_image(engine, name))


def keep_container(engine: Engine, container: str, label: str) -> Kept:
    """Give a working container a name that outlives the session."""
    name = f"{KEPT_CONTAINER}{_stem(label)}-{container.strip('-').rpartition('-')[2]}"
    engine.rename_container(container, name)
    command = f"{_buildah(engine)} run {_isolation(engine)} -t {name} -- /bin/sh"
    return Kept("container", name, label, command)


def look_into_image(engine: Engine, image: str) -> str:
    """A shell line that opens a shell in an image and removes the container afterwards."""
    return shell_line(engine, image, ["/bin/sh"], ["-t"])


def shell_line(engine: Engine, image: str, argv: Sequence[str], options: Sequence[str] = ()) -> str:
    """A shell line that runs ``argv`` in a container of ``image`` and removes the container."""
    buildah = _buildah(engine)
    run = " ".join(["run", _isolation(engine), *map(shlex.quote, options)])
    made = f"c=$({buildah} from --pull-never {shlex.quote(image)})"
    return f'{made} && {buildah} {run} "$c" -- {shlex.join(argv)}; {buildah} rm "$c"'


def _buildah(engine: Engine) -> str:
    return shlex.join([str(engine.binary), *engine.storage.options.words()])


def _isolation(engine: Engine) -> str:
    chosen = engine.isolated_by
    words = ["--isolation", chosen.kind]
    if chosen.runtime is not None and chosen.kind != "chroot":
        words += ["--runtime", chosen.runtime]
    return shlex.join(words)


def _stem(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60] or "image"
