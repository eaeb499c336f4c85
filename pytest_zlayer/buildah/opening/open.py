"""Opening the engine: finds the storage and what the binary can do, starts the agent for that."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from pytest_zlayer.buildah.agent.records import Records
from pytest_zlayer.buildah.commands import probe
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.probe import Features, Memory
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.failures import disk_full
from pytest_zlayer.buildah.opening.environment import engine_environment
from pytest_zlayer.buildah.opening.known_storage import KnownStorage
from pytest_zlayer.buildah.opening.reserve import settle_reserve
from pytest_zlayer.buildah.opening.sweep import Sweep
from pytest_zlayer.buildah.process.late_agent import Agent, LateAgent
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.buildah.storage.info import StorageInfo, parse_info, says_no_storage
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING, late_pattern

if TYPE_CHECKING:
    from pytest_zlayer.buildah.process.agent_client import AgentClient

# What buildah itself takes when TMPDIR is not set.
_COMMON_TMPDIR = "/var/tmp"  # noqa: S108 (a private directory is made in it)
_LITTLE = 1 << 20  # bytes: with less a disk counts as full
_SESSION = late_pattern(r"\A[a-z0-9]{1,32}\Z")
_WORKER = late_pattern(r"\A[a-z0-9]{1,16}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """How to open the engine: the arguments of ``Engine.open``, with buildah found."""

    binary: Path
    environment: Mapping[str, str]
    root: Path | None
    runroot: Path | None
    isolation: str
    session: str
    worker: str
    authfile: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An engine's parts, ready for use."""

    client: Agent
    commander: Commander
    environment: Mapping[str, str]
    storage: StorageInfo
    version: Version
    features: Features
    memory: Memory
    rootless: bool
    tmpdir: Path
    isolation: str
    session: str
    worker: str
    sweep: Sweep
    own_storage: bool


def container_prefix(session: str, worker: str) -> str:
    """How the names of one process's containers begin."""
    return f"zl-{session}-{worker}-"


def image_folder(session: str, worker: str) -> str:
    """How the names of one process's temporary images begin."""
    return f"localhost/zlayer/session/{session}-{worker}/"


def open_engine(request: OpenRequest) -> Opened:
    """Finds out what there is to know.

    Where all of it is remembered, the agent is started by what needs it first.
    """
    if not _SESSION.match(request.session) or not _WORKER.match(request.worker):
        raise UsageError(
            f"session {request.session!r} and worker {request.worker!r} must be lower-case letters "
            "and digits"
        )
    return _Opening(request).opened()


class _Opening:
    """The opening of one engine."""

    def __init__(self, request: OpenRequest) -> None:
        base = temporary_base(request.environment)
        self._request = request
        self._rootless = probe.needs_namespace()
        # The common TMPDIR: without XDG_RUNTIME_DIR the run directory is derived from it.
        self._outside = engine_environment(request.environment, base, request.authfile)
        name = f"zlayer-{request.session}-{request.worker}-{os.urandom(4).hex()}"
        self._tmpdir = base / name
        self._known = KnownStorage(request.binary, request.root, request.runroot, self._outside)

    def opened(self) -> Opened:
        """The parts; the agent starts later where nothing has to be asked of buildah."""
        storage = self._known.recall()
        if storage is not None:
            memory = self._memory(storage)
            remembered = _remembered(memory)
            if remembered is not None:
                agent = LateAgent(lambda: self._late(storage))
                return self._parts(agent, storage, memory, remembered)
        client = self._start()
        try:
            return self._asked(client)
        except BaseException:
            client.close()
            raise

    def _start(self) -> AgentClient:
        """An agent that answers."""
        with LOADING:
            from pytest_zlayer.buildah.process.agent_client import AgentClient

        prefix = _namespace(self._request) if self._rootless else ()
        client = AgentClient(prefix, self._outside)
        try:
            client.greet()
        except BaseException as error:
            client.close()
            if isinstance(error, EngineUnusable):
                raise (_diagnosis(self._request, self._outside) or error) from error
            raise
        return client

    def _late(self, storage: StorageInfo) -> AgentClient:
        """The agent of an engine that is open."""
        client = self._start()
        try:
            self._adopt(client, storage)
        except BaseException:
            client.close()
            raise
        return client

    def _asked(self, client: AgentClient) -> Opened:
        """The parts, as buildah describes them now."""
        request = self._request
        asking = Commander(
            Runner(client), request.binary, self._outside, options=_asked_storage(request)
        )
        storage = ask_storage(asking)
        if self._rootless and _is_unused_vfs(storage):
            storage = _with_overlay(asking) or storage
        memory = self._memory(storage)
        # Its own TMPDIR is made once the journal says to which session it belongs.
        version = _ask_version(replace(asking, storage=storage.options, options=()), memory)
        self._adopt(client, storage)
        self._known.remember(storage)
        return self._parts(client, storage, memory, version)

    def _adopt(self, client: AgentClient, storage: StorageInfo) -> None:
        request, tmpdir = self._request, self._tmpdir
        commander = self._commander(client, storage)
        prefix = container_prefix(request.session, request.worker)
        images = image_folder(request.session, request.worker)
        session = {
            "prefix": prefix, "tmpdir": str(tmpdir), "images": images, "boot": probe.boot_id(),
        }  # fmt: skip
        settle_reserve(storage)
        try:
            client.adopt(
                binary=str(commander.binary), storage=asdict(storage.options),
                env=dict(commander.env), prefix=prefix, images=images, tmpdir=str(tmpdir),
                journal=str(self._journal(storage)), session=session,
            )  # fmt: skip
        except OSError as error:
            if error.filename == str(tmpdir):
                raise _no_tmpdir(tmpdir.parent) from error
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _no_space(storage.root, tmpdir.parent) from error
            raise EngineUnusable(
                f"the container storage {storage.root} cannot be written to: {error.strerror}",
                hint="choose another with --zlayer-root and --zlayer-runroot",
            ) from error

    def _journal(self, storage: StorageInfo) -> Path:
        request = self._request
        name = f"{request.session}-{request.worker}-{self._tmpdir.name[-8:]}.json"
        return storage.sessions / name

    def _memory(self, storage: StorageInfo) -> Memory:
        return Memory(storage.state / "answers.json", probe.binary_key(self._request.binary))

    def _commander(self, agent: Agent, storage: StorageInfo) -> Commander:
        request = self._request
        env = engine_environment(request.environment, self._tmpdir, request.authfile)
        return Commander(Runner(agent), request.binary, env, storage.options)

    def _parts(
        self, agent: Agent, storage: StorageInfo, memory: Memory, version: Version
    ) -> Opened:
        request, commander = self._request, self._commander(agent, storage)
        features = Features(lambda command: commander.output([command, "--help"]), memory)
        return Opened(
            client=agent, commander=commander, environment=request.environment, storage=storage,
            version=version, features=features, memory=memory, rootless=self._rootless,
            tmpdir=self._tmpdir, isolation=request.isolation, session=request.session,
            worker=request.worker, sweep=Sweep(commander, storage, self._journal(storage)),
            own_storage=request.root is not None,
        )  # fmt: skip


def _diagnosis(request: OpenRequest, outside: dict[str, str]) -> EngineUnusable | None:
    """Why no agent starts in a user namespace, found out by an agent outside of it."""
    with LOADING:
        from pytest_zlayer.buildah.process.agent_client import AgentClient

    client = AgentClient((), outside)
    try:
        commander = Commander(
            Runner(client), request.binary, outside, options=_asked_storage(request)
        )
        probe.parse_version(_version_text(commander))
        commander.output(["unshare", "--", "true"])
    except EngineUnusable as error:
        return error
    except EngineError as error:
        return EngineUnusable(f"buildah cannot work here: {error.message}", hint=error.hint)
    finally:
        client.close()
    return None


def _namespace(request: OpenRequest) -> list[str]:
    return [str(request.binary), *_asked_storage(request), "unshare", "--"]


def _asked_storage(request: OpenRequest) -> tuple[str, ...]:
    options: list[str] = []
    if request.root is not None:
        options += ["--root", str(request.root.absolute())]
    if request.runroot is not None:
        options += ["--runroot", str(request.runroot.absolute())]
    return tuple(options)


def temporary_base(environment: Mapping[str, str]) -> Path:
    """Where large temporary files go: TMPDIR, else /var/tmp, as buildah has it.

    Raises:
        EngineUnusable: nothing can be written there.
    """
    base = Path(environment.get("TMPDIR") or _COMMON_TMPDIR)
    if not os.access(base, os.W_OK | os.X_OK):
        raise _no_tmpdir(base)
    return base.absolute()


def _no_space(*places: Path) -> EngineUnusable:
    """The error for a file that could be made, but not written: which one is not said."""
    full = [place for place in places if shutil.disk_usage(place).free < _LITTLE]
    failure = disk_full([str(place) for place in full or places])
    return EngineUnusable(failure.message, hint=failure.hint)


def _no_tmpdir(base: Path) -> EngineUnusable:
    return EngineUnusable(
        f"nothing can be written to the temporary directory {base}",
        hint="set TMPDIR to a directory that exists",
    )


def _is_unused_vfs(storage: StorageInfo) -> bool:
    return storage.driver == "vfs" and not Records(storage.options).files("images")


def _with_overlay(asking: Commander) -> StorageInfo | None:
    """The same storage with the overlay driver, where that works.

    Without a storage.conf older versions give an ordinary user the vfs driver, which copies all
    files for each layer, although kernels have allowed overlay mounts in user namespaces for years.
    """
    options = (*asking.options, "--storage-driver", "overlay")
    try:
        return ask_storage(replace(asking, options=options))
    except EngineUnusable:
        return None


def ask_storage(commander: Commander) -> StorageInfo:
    """Where the storage is and that it can be used, from ``buildah info``.

    Raises:
        EngineUnusable: it cannot.
    """
    try:
        output = commander.output(["info"])
        if says_no_storage(output):
            commander.output(["images", "--quiet"])  # which says why
        return parse_info(output)
    except EngineError as error:
        probe.parse_version(_version_text(commander))
        raise EngineUnusable(f"buildah cannot work here: {error.message}", hint=error.hint) from (
            error
        )
    except (ValueError, KeyError, TypeError) as error:
        probe.parse_version(_version_text(commander))
        raise EngineUnusable(f"buildah info printed something unexpected: {error}") from error


def _version_text(commander: Commander) -> str:
    done = commander.call(["--version"])
    if done.exit_code != 0:
        raise EngineUnusable(f"buildah does not answer: {commander.failed(done).message}")
    return "\n".join(done.stdout_tail)


def _remembered(memory: Memory) -> Version | None:
    return probe.version_from(memory.get("version"))


def _ask_version(commander: Commander, memory: Memory) -> Version:
    version = _remembered(memory)
    if version is None:
        version = probe.parse_version(_version_text(commander))
        memory.put("version", str(version))
    return version
