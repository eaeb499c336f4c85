"""Images and containers that stay in the store after a session, as they were asked to."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.model.errors import debug_command
from pytest_zlayer.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

KEPT_REPOSITORY = "localhost/zlayer/kept"
KEPT_CONTAINER = "zlayer-kept-"


@dataclass(frozen=True, slots=True)
class Kept:
    """Something left in the store on purpose.

    Attributes:
        kind: ``image``, ``stage``, ``container`` or ``service``.
        name: what it is called in the store.
        label: which image of the run it is or belongs to.
        command: looks inside when pasted into a shell.
    """

    kind: Literal["image", "stage", "container", "service"]
    name: str
    label: str
    command: str


def own_name(image_id: str) -> str:
    """What an image is called that was built to stay and got no name."""
    return f"{KEPT_REPOSITORY}:built-{image_id[:12]}"


def keep_image(engine: Engine, image: ImageLike, label: str) -> Kept:
    """Give an image a name that outlives the session and holds ``label``."""
    tag = f"{stem(label)}-{image.short_id}"
    name = f"{KEPT_REPOSITORY}:{tag}"
    engine.images.tag(image.id, name)
    kind: Literal["image", "stage"] = "stage" if "#" in image.label else "image"
    return Kept(kind, name, label, enter_command(engine, tag))


def keep_container(engine: Engine, container: str, label: str) -> Kept:
    """Give a working container a name that outlives the session."""
    name = f"{KEPT_CONTAINER}{stem(label)}-{container.strip('-').rpartition('-')[2]}"
    engine.rename_container(container, name)
    return Kept("container", name, label, enter_command(engine, name))


def kept_log(engine: Engine, container: str) -> Path:
    """Where the log of a kept container lies, if it has one."""
    return engine.storage.state / "logs" / f"{container}.log"


def enter_command(engine: Engine, name: str) -> str:
    """The command line that opens a shell in what was kept."""
    words = [debug_command(name)]
    if engine.own_storage:
        words += ["--root", shlex.quote(str(engine.storage.root))]
        words += ["--runroot", shlex.quote(str(engine.storage.runroot))]
    return " ".join(words)


def stem(label: str) -> str:
    """What names of the storage can hold of a label."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60] or "image"
