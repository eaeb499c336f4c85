"""Starting commands through the OCI runtime itself, in containers that buildah has made."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.buildah.process.command import Detached, Request
from pytest_zlayer.buildah.process.console_socket import SOCKET
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.runtime.change import Change, file_name
from pytest_zlayer.buildah.runtime.container_record import ContainerRecord, read_record
from pytest_zlayer.buildah.runtime.specification import (
    HostFile,
    NotUnderstood,
    Setting,
    Specification,
)
from pytest_zlayer.buildah.runtime.users import find_user
from pytest_zlayer.dataclass import dataclass

_LARGEST = 10 << 20  # bytes of a file that names users or groups


@dataclass(frozen=True, slots=True)
class Place:
    """A working container, as a command finds it.

    Attributes:
        directory: where buildah keeps its record.
        files: its files, which are mounted.
        root: where.
    """

    directory: Path
    files: Rootfs
    root: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A container that can be started.

    Attributes:
        id: what the runtime calls it.
        bundle: the directory it is started from.
        request: how the process is started.
        known, change: what it was made from, for further processes in it.
    """

    id: str
    bundle: Path
    request: Request
    known: Specification
    change: Change


@dataclass(slots=True)
class DirectRuntime:
    """One OCI runtime.

    Attributes:
        runtime: its path.
        state: where it keeps its state.
        tmpdir: where bundles are made; their names begin as those of buildah do.
        env: environment of the runtime.
        specification: gives buildah's specification for commands of a kind, with the record of the
            container that it was taken from.
    """

    runtime: str
    state: Path
    tmpdir: Path
    env: dict[str, str]
    specification: Callable[[Setting], tuple[Specification, str]]
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def prepare(self, run: RunRequest, place: Place) -> Prepared:
        """Writes the bundle of a command.

        Raises:
            NotUnderstood: this command has to be given to buildah.
            OSError: the bundle cannot be written.
        """
        record = read_record(place.directory)
        user = find_user(run.user or record.user, lambda path: read_text(place.files, path))
        network = "none" if run.network == "none" else "host"
        known, way = self.specification(Setting(network, user.uid == 0, run.capabilities()))
        _check(run, record, place, way)
        name = f"buildah-{os.getpid()}-{next(self._numbers)}"
        bundle = self.tmpdir / name
        change = Change(run, record, user, place.root, bundle)
        identifier = f"{name}-{record.id[:12]}"
        write_bundle(bundle, json.dumps(change.config(known)), change.files(known))
        terminal = ["--console-socket", SOCKET] if run.terminal else []
        words = self._words(known, "run", [*known.options, *terminal])
        request = self._request(run, identifier, bundle, words)
        if run.terminal == "recorded":
            request = replace(request, terminal=run.terminal, console=bundle)
        return Prepared(identifier, bundle, request, known, change)

    def prepare_more(self, started: Prepared, run: RunRequest, place: Place) -> Request:
        """Another process in a container that runs: ``exec``.

        Raises:
            NotUnderstood: it would need another container.
        """
        refuse_own_container(run)
        record = started.change.record
        check_workdir(run.workdir or record.workdir or "/", place)
        user = find_user(run.user or record.user, lambda path: read_text(place.files, path))
        known = started.known
        if (user.uid == 0) is not (started.change.user.uid == 0):
            known = self.specification(Setting("host", user.uid == 0))[0]
        bundle = self.tmpdir / f"buildah-{os.getpid()}-{next(self._numbers)}"
        process = Change(run, record, user, place.root, bundle).process(known)
        write_bundle(bundle, json.dumps(process), {})
        words = self._words(known, "exec", ["--process", str(bundle / "config.json")])
        return self._request(run, started.id, bundle, words, keeps_state=False)

    def _words(self, known: Specification, verb: str, options: Sequence[str]) -> list[str]:
        return [self.runtime, "--root", str(self.state), *known.before, verb, *options]

    def _request(
        self,
        run: RunRequest,
        identifier: str,
        bundle: Path,
        words: list[str],
        *,
        keeps_state: bool = True,
    ) -> Request:
        pid_file = str(bundle / "pid")
        place = ["--bundle", str(bundle)] if keeps_state else []
        root = ["--root", str(self.state)]
        detached = Detached(
            pid_file=pid_file,
            state=str(self.state / identifier) if keeps_state else "",
            remove=[self.runtime, *root, "delete", "--force", identifier],
            bundle=str(bundle),
        )
        argv = [*words, *place, "--detach", "--pid-file", pid_file, identifier]
        return detached_request(run, argv, self.env, detached)


def detached_request(
    run: RunRequest,
    argv: list[str],
    env: Mapping[str, str],
    detached: Detached,
    *,
    lasting: bool = False,
) -> Request:
    """What starts a process of a container, with the streams and limits of ``run``."""
    return Request(
        argv=argv,
        env=env,
        timeout=run.timeout,
        stdin=run.stdin,
        on_line=run.on_line,
        on_text=run.on_text,
        log=run.log,
        stdout=run.stdout,
        stderr=run.stderr,
        afterwards=run.afterwards,
        lasting=lasting,
        detached=detached,
    )


def _check(run: RunRequest, record: ContainerRecord, place: Place, way: str) -> None:
    if record.way != way:
        raise NotUnderstood("the container is set up in another way than others")
    check_workdir(run.workdir or record.workdir or "/", place)


def refuse_own_container(run: RunRequest) -> None:
    """What cannot run beside another command needs a container. Raises ``NotUnderstood``."""
    if run.needs_own_container:
        raise NotUnderstood("a container of its own")


def check_workdir(workdir: str, place: Place) -> None:
    """A directory that is not there has to be made first. Raises ``NotUnderstood``."""
    try:
        # buildah makes one that is not there, and gives it to the user.
        found = place.files.lstat(place.files.resolve(workdir))
    except OSError as error:
        raise NotUnderstood(f"no directory {workdir}") from error
    if found.kind != "directory":
        raise NotUnderstood(f"{workdir} is no directory")


def read_text(files: Rootfs, path: str) -> str:
    """A file of the container; empty where there is none.

    Raises:
        NotUnderstood: it is longer than any list of users is.
    """
    try:
        with files.open(files.resolve(path)) as file:
            data = file.read(_LARGEST + 1)
    except OSError:
        return ""
    if len(data) > _LARGEST:
        raise NotUnderstood(f"{path} has more than {_LARGEST >> 20} MiB")
    return data.decode("utf-8", "surrogateescape")


def write_bundle(bundle: Path, config: str, files: dict[str, HostFile]) -> None:
    """Make a directory with ``config.json`` and with files to be mounted. Raises ``OSError``."""
    bundle.mkdir(0o711)
    _write_file(bundle / "config.json", config, 0o600)
    for path, file in files.items():
        _write_file(bundle / file_name(path), file.text, file.mode)


def _write_file(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
