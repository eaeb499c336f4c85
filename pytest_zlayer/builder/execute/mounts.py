"""RUN --mount: typed mounts become volumes of the engine, and are undone after the step."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from itertools import zip_longest
from pathlib import Path

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.files.rootfs import LocalRootfs, Rootfs
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.buildah.run_request import Tmpfs, Volume
from pytest_zlayer.builder.cache.cache_mounts import note_use
from pytest_zlayer.builder.cache.lock_file import LockFile, lock_file
from pytest_zlayer.builder.model.builder_args import cache_mount_id
from pytest_zlayer.builder.model.wording import Wording
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.kinds import (
    BindMount,
    CacheMount,
    Mount,
    RunOperation,
    SecretMount,
    SourceRef,
    SshMount,
    TmpfsMount,
)
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.written import Heredoc
from pytest_zlayer.errors import UsageError

SSH_VARIABLE = "SSH_AUTH_SOCK"


class MountRefused(UsageError):
    """A mount that cannot be had; ``span`` is where it stands in the Dockerfile."""

    def __init__(self, message: str, span: Span, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.span = span


@dataclass(slots=True)
class PreparedMounts:
    """Volumes and variables of one RUN; ``undo`` releases locks and removes what was staged.

    ``argv`` is not empty when the command must be another one than the operation says.
    """

    argv: tuple[str, ...] = ()
    volumes: list[Volume] = field(default_factory=list)
    tmpfs: list[Tmpfs] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    hidden_env: dict[str, str] = field(default_factory=dict)
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def targets(self) -> list[str]:
        """Where in the container something is mounted."""
        volumes = [one.target for one in self.volumes]
        return volumes + [one.target for one in self.tmpfs]

    def follow_links(self, rootfs: Rootfs) -> None:
        """Resolve the targets inside the image: the engine itself would follow links out of it."""
        self.volumes = [replace(one, target=rootfs.resolve(one.target)) for one in self.volumes]
        self.tmpfs = [replace(one, target=rootfs.resolve(one.target)) for one in self.tmpfs]


class MountPreparer:
    """Turns the mounts of a RUN into volumes.

    Args:
        scratch: gives a private directory of this build for files that live as long as one RUN.
        caches: directory that holds cache mounts between builds.
        source_path: host directory or file of a mount source: ``(source, path) -> Path``.
        build_args: the namespace of cache mounts is among them.
        wording: how hints call what can be given.
        secrets: secret id to file path or ``env:NAME``.
        ssh: ssh id to socket path.
        environment: the process environment.
        process: runs a program where every file and owner of the engine is within reach, which
            for an ordinary user is not where we are.
        check: called again and again while a cache is locked; raises to give up.
    """

    def __init__(
        self,
        *,
        scratch: Callable[[], Path],
        caches: Path,
        source_path: Callable[[SourceRef, str], Path],
        build_args: Mapping[str, str],
        wording: Wording,
        secrets: Mapping[str, str],
        ssh: Mapping[str, str],
        environment: Mapping[str, str],
        process: Callable[[Sequence[str]], Completed],
        check: Callable[[], None],
    ) -> None:
        self._check = check
        self._process = process
        self._scratch = scratch
        self._caches = caches
        self._source_path = source_path
        self._build_args = build_args
        self._wording = wording
        self._secrets = secrets
        self._ssh = ssh
        self._environment = environment
        self._count = 0

    def prepare(self, operation: RunOperation, isolation: str) -> PreparedMounts:
        """Everything ``operation`` wants mounted; close ``undo`` when the command has ended.

        Args:
            operation: the RUN.
            isolation: how it will be isolated.

        Raises:
            MountRefused: a required secret or agent was not given, or cannot be read.
        """
        prepared = PreparedMounts()
        written = getattr(operation.instruction, "mounts", ())
        try:
            for mount, word in zip_longest(operation.mounts, written[: len(operation.mounts)]):
                self._add_at(prepared, mount, (word or operation.instruction).span)
            if operation.script is not None:
                self._add_script(prepared, operation, operation.script, isolation)
        except BaseException:
            prepared.undo.close()
            raise
        return prepared

    def _add_at(self, prepared: PreparedMounts, mount: Mount, span: Span) -> None:
        try:
            self._add(prepared, mount)
        except UsageError as error:
            raise MountRefused(error.message, span, hint=error.hint) from error

    def _add(self, prepared: PreparedMounts, mount: Mount) -> None:
        match mount:
            case BindMount():
                source = self._source_path(mount.from_, mount.source)
                self._add_bind(prepared, source, mount)
            case CacheMount():
                self._add_cache(prepared, mount)
            case TmpfsMount():
                prepared.tmpfs.append(Tmpfs(mount.target, mount.size, mount.readonly))
            case SecretMount():
                self._add_secret(prepared, mount)
            case SshMount():
                self._add_ssh(prepared, mount)

    def _add_bind(self, prepared: PreparedMounts, source: Path, mount: BindMount) -> None:
        if mount.readonly:
            prepared.volumes.append(Volume(source, mount.target, readonly=True))
            return
        # Writes are allowed and discarded: the step gets a copy of its own.
        copy = self._scratch() / f"bind-{self._next()}"
        prepared.undo.callback(self._do, "rm", "-rf", copy)
        self._do("cp", "--archive", source, copy)
        prepared.volumes.append(Volume(copy, mount.target))

    def _add_cache(self, prepared: PreparedMounts, mount: CacheMount) -> None:
        identifier = cache_mount_id(mount.id, self._build_args)
        name = hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        directory = self._caches / name
        if mount.sharing != "shared":
            directory = self._lock_cache(prepared, directory, mount.sharing == "private")
        if not directory.exists():
            self._create_cache(directory, mount)
        note_use(directory)
        source = self._inside(directory, mount.source) if mount.from_ is None else directory
        prepared.volumes.append(Volume(source, mount.target, readonly=mount.readonly))

    def _lock_cache(self, prepared: PreparedMounts, directory: Path, private: bool) -> Path:
        """Lock a cache; a private one that is taken is replaced by the next free copy."""
        directory.parent.mkdir(parents=True, exist_ok=True)
        for number in range(1000):
            chosen = directory.with_name(f"{directory.name}-{number}") if number else directory
            lock = LockFile(Path(f"{chosen}.lock"))
            if self._acquire(lock, wait=not private):
                prepared.undo.callback(lock.release)
                return chosen
        raise UsageError(f"more than 1000 users of the private cache mount {directory.name}")

    def _acquire(self, lock: LockFile, *, wait: bool) -> bool:
        while not lock.acquire(0.2 if wait else 0.0):
            if not wait:
                return False
            self._check()
        return True

    def _create_cache(self, directory: Path, mount: CacheMount) -> None:
        """Make a cache that all who want it find whole; one left half-made is done over."""
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Not by renaming alone: that replaces an empty directory, which a RUN may use already.
        with lock_file(Path(f"{directory}.making")) as lock:
            self._acquire(lock, wait=True)
            if directory.exists():
                return
            fresh = directory.with_name(f"{directory.name}.new")
            self._do("rm", "-rf", fresh)
            if mount.from_ is not None:
                self._do("cp", "--archive", self._source_path(mount.from_, mount.source), fresh)
            else:
                fresh.mkdir()
            self._do("chmod", f"{mount.mode:o}", fresh)
            self._own(fresh, mount.uid, mount.gid)
            fresh.rename(directory)

    def _inside(self, directory: Path, source: str) -> Path:
        """A directory of a cache, made if need be; links a RUN left in it lead nowhere else."""
        path = directory / LocalRootfs(directory).resolve(source).lstrip("/")
        if path != directory:
            self._do("mkdir", "-p", path)
        return path

    def _own(self, path: Path, uid: int, gid: int) -> None:
        if (uid, gid) != (0, 0):
            self._do("chown", f"{uid}:{gid}", path)

    def _do(self, *argv: str | Path) -> None:
        done = self._process([str(word) for word in argv])
        if done.exit_code != 0:
            said = "\n".join(done.stderr_tail) or f"{argv[0]} exited with {done.exit_code}"
            raise EngineError(Failure("environment", said), command=done.argv)

    def _add_secret(self, prepared: PreparedMounts, mount: SecretMount) -> None:
        value = self._secret(mount)
        if value is None:
            return
        if mount.env is not None:
            prepared.hidden_env[mount.env] = value.decode("utf-8", "surrogateescape")
        if mount.target is not None:
            path = self._private_file(prepared, value, mount.mode, mount.uid, mount.gid)
            prepared.volumes.append(Volume(path, mount.target, readonly=True))

    def _secret(self, mount: SecretMount) -> bytes | None:
        origin = self._secrets.get(mount.id)
        if origin is None:
            if mount.required:
                hint = self._wording.secret.format(mount.id)
                raise UsageError(f"secret {mount.id}: not found", hint=hint)
            return None
        return read_secret(mount.id, origin, self._environment)

    def _add_ssh(self, prepared: PreparedMounts, mount: SshMount) -> None:
        socket = self._ssh.get(mount.id)
        if socket in (None, "", "default"):
            socket = self._environment.get(SSH_VARIABLE) if mount.id in self._ssh else None
        if socket is None:
            if mount.required:
                hint = self._wording.ssh.format(mount.id)
                raise UsageError(f"ssh agent {mount.id}: not given", hint=hint)
            return
        prepared.volumes.append(Volume(Path(socket), mount.target))
        prepared.env.setdefault(SSH_VARIABLE, mount.target)

    def _add_script(
        self, prepared: PreparedMounts, operation: RunOperation, script: Heredoc, isolation: str
    ) -> None:
        path = self._private_file(prepared, script.text.encode(), 0o755, 0, 0)
        target = f"/dev/pipes/{script.name}"
        if isolation == "chroot":  # its /dev is the host's: no place for mount points
            target = f"/run/pipes/{script.name}"
            prepared.argv = (*operation.argv[:-1], target)
        prepared.volumes.append(Volume(path, target, readonly=True))

    def _private_file(
        self, prepared: PreparedMounts, content: bytes, mode: int, uid: int, gid: int
    ) -> Path:
        path = self._scratch() / f"file-{self._next()}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        prepared.undo.callback(path.unlink, missing_ok=True)
        path.chmod(mode)
        self._own(path, uid, gid)
        return path

    def _next(self) -> int:
        self._count += 1
        return self._count


def read_secret(name: str, origin: str, environment: Mapping[str, str]) -> bytes:
    """The secret called ``name``, from a file or from ``env:VARIABLE``.

    Raises:
        UsageError: it cannot be had.
    """
    if origin.startswith("env:"):
        variable = origin.removeprefix("env:")
        if variable not in environment:
            raise UsageError(f"secret {name}: environment variable {variable} is not set")
        return environment[variable].encode("utf-8", "surrogateescape")
    try:
        return Path(origin).read_bytes()
    except OSError as problem:
        raise UsageError(f"secret {name}: cannot read {origin}: {problem.strerror}") from None
