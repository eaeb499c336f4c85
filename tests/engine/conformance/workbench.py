"""Builds a case with this project and with ``buildah build``, and reads what came out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.buildah.storage.records import ImageRecord
from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.oci.chain import read_chain
from pytest_zlayer.builder.oci.config import config_json
from pytest_zlayer.builder.oci.layout import write_layout
from pytest_zlayer.builder.session.build_session import BuildSession
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig

from ..conftest import Storage
from ..conftest import write_layout as write_base_layout
from .case import ISOLATION, LONG_AGO, Case, Dir, File, Hard, Link, Special, Things, plain, tar
from .snapshot import Facts, Snapshot, configuration, take

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Few applets, so that reading all files of an image is quick.
_APPLETS = (
    "sh ash cat chmod chown cp cut date dirname echo env false find grep head id ip ls ln mkdir",
    "mkfifo mv printf pwd readlink rm rmdir sed sleep sort stat tail test touch tr true wc",
)
_USERS: Things = {
    **{f"{name}/": "" for name in ("bin", "etc", "home", "root")},
    "tmp/": Dir(0o1777),
    "home/app/": Dir(owner="1000:1000"),
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    "etc/group": "root:x:0:\napp:x:1000:\nextra:x:2000:app\n",
}
_TRIGGERS = """
FROM bb
ONBUILD ENV TRIGGERED=set
ONBUILD COPY a /src/
ONBUILD RUN echo trigger $TRIGGERED > /log
"""
# What a RUN leaves in an image that has nothing of the kind.
_MOUNT_POINTS: Things = {
    **{f"{name}/": "" for name in ("dev", "proc", "run", "sys")},
    **{f"etc/{name}": "" for name in ("hostname", "hosts", "resolv.conf")},
}


class ReferenceFailed(Exception):
    """``buildah build`` did not build the case."""


class Workbench:
    """One storage with the base image ``bb``, one session that builds in it."""

    def __init__(self, storage: Storage, directory: Path, *, isolation: str = ISOLATION) -> None:
        self.storage = storage
        self._directory = directory
        self._count = 0
        self._snapshots: dict[str, Snapshot] = {}
        self.session = BuildSession(
            BuildOptions(
                buildah=storage.binary,
                root=storage.root,
                runroot=storage.runroot,
                isolation=isolation,
                environment={**storage.environment, "XDG_CACHE_HOME": str(directory / "cache")},
            )
        )
        self._add_bases()

    @property
    def engine(self) -> Engine:
        return self.session.engine

    @cached_property
    def version(self) -> Version:
        """Of the buildah at hand."""
        return self.engine.version

    def close(self) -> None:
        self.session.close()

    # --- bases

    def _add_bases(self) -> None:
        """``bb``: busybox as images usually are; ``bare``: without configuration, mount points."""
        config = {"Cmd": ["/bin/sh"], "Env": [f"PATH={PATH}"]}
        files = tar({**_USERS, **busybox()})
        self._add_base("bb", [files, tar(_MOUNT_POINTS)], config)
        self._add_base("bare", [files], {})
        self._build_onbuild()

    def _add_base(self, name: str, layers: list[bytes], config: dict[str, Any]) -> None:
        history = [{"created_by": name} for _ in layers]
        layout = write_base_layout(self._directory / name, layers, config, {"history": history})
        self.engine.images.import_layout(layout, f"localhost/{name}:latest")

    def _build_onbuild(self) -> None:
        """``onbuild``: triggers, in an image made by buildah itself."""
        place = self._directory / "onbuild"
        place.mkdir()
        (place / "Dockerfile").write_text(_TRIGGERS)
        self.storage.buildah("build", "--format=docker", "--tag=localhost/onbuild", str(place))

    # --- building

    def prepare(self, case: Case) -> Path:
        """The directory with the case's context, Dockerfile and secrets."""
        self._count += 1
        place = self._directory / f"case-{self._count}"
        context = place / "context"
        context.mkdir(parents=True)
        if case.place is None:
            (place / "Dockerfile").write_bytes(case.source)
        else:
            write_things(context, {case.place: case.source})
        write_things(context, case.context)
        for name, value in case.secrets.items():
            (place / f"secret-{name}").write_text(value)
        for name, things in case.contexts.items():
            if not isinstance(things, str):
                (place / f"named-{name}").mkdir()
                write_things(place / f"named-{name}", things)
        return place

    def build(self, case: Case, place: Path) -> Image:
        """The image as this project builds it."""
        inside = {"dockerfile": case.place} if case.place else {"text": case.source.decode()}
        return self.session.build(
            ImageSpec(
                context=place / "context",
                name=f"{case.name}-{self._count}",
                target=case.target,
                build_args=case.args,
                build_contexts={
                    name: things if isinstance(things, str) else str(place / f"named-{name}")
                    for name, things in case.contexts.items()
                },
                secrets={name: str(place / f"secret-{name}") for name in case.secrets},
                **inside,
            )
        )

    def build_reference(self, case: Case, place: Path) -> str:
        """Id of the image as ``buildah build`` builds it."""
        file = place / "context" / case.place if case.place else place / "Dockerfile"
        words = [
            "build", "--layers", "--format", "docker", "--isolation", ISOLATION, "--pull-never",
            "--quiet", "--iidfile", str(place / "id"), "--file", str(file),
        ]  # fmt: skip
        words += build_options(case, place)
        try:
            self.storage.buildah(*words, str(place / "context"))
        except subprocess.CalledProcessError as error:
            raise ReferenceFailed(error.stderr) from None
        return (place / "id").read_text().strip().removeprefix("sha256:")

    # --- reading

    def snapshot(self, image: str) -> Snapshot:
        """All files of an image, or of ``scratch``; images met before are not read again."""
        if image not in self._snapshots:
            with self.files(image) as rootfs:
                self._snapshots[image] = take(rootfs)
        return self._snapshots[image]

    @contextmanager
    def files(self, image: str) -> Iterator[Rootfs]:
        """The files of an image. A container of one with ONBUILD would run its triggers."""
        if image != "scratch":
            image = self._without_triggers(self.engine.images.inspect(image))
        container = self.engine.from_image(image)
        try:
            yield self.engine.mount(container)
        finally:
            self.engine.remove_containers(container)

    def config(self, image: str) -> Facts:
        """The configuration of an image."""
        return configuration(self.engine.images.inspect(image).config)

    def document(self, image: str) -> dict[str, Any]:
        """All that an image's configuration document says."""
        return dict(self.engine.images.inspect(image).config)

    def _without_triggers(self, record: ImageRecord) -> str:
        if not (record.config.get("config") or {}).get("OnBuild"):
            return record.id
        self._count += 1
        directory = self._directory / f"layout-{self._count}"
        chain = read_chain(record.manifest, record.config)
        bare = ImageConfig(architecture="amd64")
        config = config_json(bare, chain, created=record.config["created"])
        write_layout(directory, config, chain.layers, "oci")
        return self.engine.images.import_layout(directory, f"localhost/files:{self._count}")


def build_options(case: Case, place: Path) -> list[str]:
    """What a case asks for, in the words of the command lines of both references."""
    words = [f"--build-arg={name}={value}" for name, value in case.args.items()]
    words += [f"--secret=id={name},src={place}/secret-{name}" for name in case.secrets]
    words += [f"--target={case.target}"] if case.target else []
    for name, things in case.contexts.items():
        value = things if isinstance(things, str) else place / f"named-{name}"
        words.append(f"--build-context={name}={value}")
    return words


def busybox() -> Things:
    """The program and links to it for what the cases use."""
    program = shutil.which("busybox")
    if program is None:
        pytest.fail("these tests need a static busybox: install busybox-static")
    links = {f"bin/{name}": Link("busybox") for name in " ".join(_APPLETS).split()}
    return {"bin/busybox": File(Path(program).read_bytes(), 0o755), **links}


def write_things(directory: Path, things: Things) -> None:
    """Write a context. Directories get their mode and time last, the deepest first."""
    for name, thing in things.items():
        path = os.fsencode(directory) + b"/" + os.fsencode(name.rstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(directory, path, plain(name, thing))
    for name, thing in things.items():
        path = os.fsencode(directory) + b"/" + os.fsencode(name.rstrip("/"))
        _finish(path, plain(name, thing))
    for parent, _, _ in os.walk(os.fsencode(directory), topdown=False):
        if oct(os.stat(parent).st_mode & 0o7777) == oct(0o755):
            os.utime(parent, (LONG_AGO, LONG_AGO))


def _write(directory: Path, path: bytes, thing: Any) -> None:
    match thing:
        case File():
            with open(path, "wb") as file:
                file.write(thing.data)
            for key, value in thing.xattrs.items():
                os.setxattr(path, key, value)
        case Dir():
            os.makedirs(path, exist_ok=True)
        case Link():
            os.symlink(os.fsencode(thing.target), path)
        case Hard():
            os.link(os.fsencode(directory) + b"/" + os.fsencode(thing.of), path)
        case Special(kind="fifo"):
            os.mkfifo(path)
        case Special(kind="socket"):
            with socket.socket(socket.AF_UNIX) as listener:
                _bind(listener, path)
        case Special():
            kind = 0o020000 if thing.kind == "character" else 0o060000
            os.mknod(path, kind | thing.mode, os.makedev(*thing.device))


def _bind(listener: socket.socket, path: bytes) -> None:
    """Bind by a short name: the path of a socket holds 108 bytes."""
    handle = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{handle}/".encode() + os.path.basename(path))
    finally:
        os.close(handle)


def _finish(path: bytes, thing: Any) -> None:
    if isinstance(thing, Hard):
        return
    uid, _, gid = getattr(thing, "owner", "0:0").partition(":")
    if (uid, gid) != ("0", "0"):
        os.chown(path, int(uid), int(gid), follow_symlinks=False)
    if not isinstance(thing, Link):
        os.chmod(path, thing.mode)
    moment = getattr(thing, "mtime", None) or LONG_AGO
    os.utime(path, (moment, moment), follow_symlinks=False)
