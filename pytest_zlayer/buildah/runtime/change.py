"""What one command changes in the specification: a new ``config.json`` with the mounted files."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.run_request import RunRequest, Tmpfs, Volume
from pytest_zlayer.buildah.runtime.container_record import ContainerRecord
from pytest_zlayer.buildah.runtime.privileged import unrestricted
from pytest_zlayer.buildah.runtime.specification import (
    HostFile,
    NotUnderstood,
    Specification,
    host_name,
    mount_depth,
)
from pytest_zlayer.buildah.runtime.users import User
from pytest_zlayer.dataclass import dataclass

_HOST_NAME = "HOSTNAME"
HOST_NAME_FILE = "/etc/hostname"
_CONTAINER_ENV = "/run/.containerenv"


@dataclass(frozen=True, slots=True)
class Change:
    """One command in one container.

    Attributes:
        request: the command.
        record: the container.
        user: whom it runs as.
        root: where the files of the container are mounted.
        bundle: the directory of this command, in which the mounted files will lie.
    """

    request: RunRequest
    record: ContainerRecord
    user: User
    root: Path
    bundle: Path

    @property
    def host_name(self) -> str:
        """What the command sees as the name of the machine."""
        return self.request.hostname or host_name(self.record.id)

    def config(self, known: Specification) -> dict[str, Any]:
        """``config.json``.

        Raises:
            NotUnderstood: there is something that only buildah can do.
        """
        config: dict[str, Any] = dict(known.config)
        config["process"] = self.process(known)
        config["root"] = {**config["root"], "path": str(self.root)}
        config["hostname"] = self.host_name
        config["mounts"] = self._mounts(known)
        return unrestricted(config) if self.request.privileged else config

    def process(self, known: Specification) -> dict[str, Any]:
        """The part of it about the process, which is also what ``exec`` wants."""
        process: dict[str, Any] = copy.deepcopy(known.config["process"])
        process["terminal"] = self.request.terminal is not None
        process["args"] = list(self.request.argv)
        process["cwd"] = self.request.workdir or self.record.workdir or "/"
        process["env"] = [f"{name}={value}" for name, value in self._environment(known).items()]
        process["user"] = {
            **process["user"],
            "uid": self.user.uid,
            "gid": self.user.gid,
            "additionalGids": list(self.user.groups),
        }
        return process

    def _environment(self, known: Specification) -> dict[str, str]:
        env = _variables(known.config["process"]["env"])
        env.pop(_HOST_NAME, None)
        env |= _variables(self.record.env)
        env |= self.request.hidden_env
        env |= self.request.env
        env.setdefault(_HOST_NAME, self.host_name)
        return env

    def _mounts(self, known: Specification) -> list[dict[str, Any]]:
        """Those of the command and those of every container, outer ones first."""
        own = [_tmpfs(one) for one in self.request.tmpfs]
        own += [_bind(one) for one in self.request.volumes]
        taken = {one["destination"] for one in own}
        if not taken.isdisjoint(self.files(known)):
            raise NotUnderstood("buildah's own files stay where they are")
        if self.request.hostname:
            taken.add(HOST_NAME_FILE)
        common = [
            self._from_bundle(one) if one["destination"] in known.files else one
            for one in known.config["mounts"]
            if one["destination"] not in taken
        ]
        return sorted([*own, *common], key=lambda one: mount_depth(one["destination"]))

    def _from_bundle(self, mount: Mapping[str, Any]) -> dict[str, Any]:
        found = {**mount, "source": str(self.bundle / file_name(mount["destination"]))}
        if self.request.hostname:
            # What is written there would be lost silently.
            options = [one for one in mount.get("options") or () if one != "rw"]
            found["options"] = [*options, "ro"]
        return found

    def files(self, known: Specification) -> dict[str, HostFile]:
        """The files that are mounted, by their path in the container."""
        return {
            path: HostFile(self._text(path, file.text, known), file.mode)
            for path, file in known.files.items()
            if path != HOST_NAME_FILE or not self.request.hostname
        }

    def _text(self, path: str, text: str, known: Specification) -> str:
        if path == _CONTAINER_ENV:
            return self._container_env(text, known)
        name, identifier = known.container
        text = text.replace(name, self.record.name).replace(identifier, self.record.id)
        return text.replace(host_name(identifier), self.host_name)

    def _container_env(self, text: str, known: Specification) -> str:
        values = {
            "name": self.record.name,
            "id": self.record.id,
            "image": self.record.image,
            "imageid": self.record.image_id,
        }
        found = dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))
        if (found.get("name"), found.get("id")) != known.container:
            raise NotUnderstood(f"{_CONTAINER_ENV}: {text!r}")
        return re.sub(
            r'^(name|id|image|imageid)=".*"$',
            lambda line: f'{line[1]}="{values[line[1]]}"',
            text,
            flags=re.MULTILINE,
        )


def file_name(destination: str) -> str:
    """What a file that is mounted there is called in the bundle."""
    return destination.strip("/").replace("/", "-")


def _variables(env: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in env)
    return {name: value for name, equals, value in pairs if equals}


def _bind(volume: Volume) -> dict[str, Any]:
    if volume.options:
        raise NotUnderstood(f"options of a volume: {','.join(volume.options)}")
    return {
        "destination": volume.target,
        "type": "bind",
        "source": str(volume.source),
        "options": ["ro" if volume.readonly else "rw", "private", "rbind"],
    }


def _tmpfs(tmpfs: Tmpfs) -> dict[str, Any]:
    size = [f"size={tmpfs.size}"] if tmpfs.size else []
    return {
        "destination": tmpfs.target,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": [*size, "ro" if tmpfs.readonly else "rw", "private"],
    }
