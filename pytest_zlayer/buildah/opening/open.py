"""Opening the engine: starts the agent, finds the storage and what the binary can do."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from packaging.version import Version

from pytest_zlayer.buildah.commands import probe
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.probe import Features, Memory
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.opening.environment import engine_environment
from pytest_zlayer.buildah.opening.sweep import Sweep
from pytest_zlayer.buildah.process.agent_client import AgentClient
from pytest_zlayer.buildah.process.command import Runner
from pytest_zlayer.buildah.storage.info import StorageInfo, parse_info, says_no_storage
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError

# What buildah itself takes when TMPDIR is not set.
_COMMON_TMPDIR = "/var/tmp"  # noqa: S108 (a private directory is made in it)
_SESSION = re.compile(r"\A[a-z0-9]{1,32}\Z")
_WORKER = re.compile(r"\A[a-z0-9]{1,16}\Z")


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

    client: AgentClient
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
    """Starts the agent and finds out what there is to know; ends the agent if that fails."""
    if not _SESSION.match(request.session) or not _WORKER.match(request.worker):
        raise UsageError(
            f"session {request.session!r} and worker {request.worker!r} must be small letters "
            "and digits"
        )
    rootless = probe.needs_namespace()
    base = temporary_base(request.environment)
    outside = engine_environment(request.environment, base, request.authfile)
    client = AgentClient(_namespace(request) if rootless else (), outside)
    try:
        return _opened(request, client, outside, base, rootless=rootless)
    except BaseException:
        client.close()
        raise


def _opened(
    request: OpenRequest,
    client: AgentClient,
    outside: dict[str, str],
    base: Path,
    *,
    rootless: bool,
) -> Opened:
    tmpdir = base / f"zlayer-{request.session}-{request.worker}-{secrets.token_hex(4)}"
    try:
        client.greet()
    except EngineUnusable as error:
        raise (_diagnosis(request, outside) or error) from error
    # Asked with the common TMPDIR: without XDG_RUNTIME_DIR the run directory is derived from it.
    asking = Commander(Runner(client), request.binary, outside, options=_asked_storage(request))
    storage = ask_storage(asking)
    if rootless and _is_unused_vfs(storage):
        storage = _with_overlay(asking) or storage
    env = engine_environment(request.environment, tmpdir, request.authfile)
    commander = replace(asking, env=env, storage=storage.options, options=())
    memory = Memory(storage.state / "answers.json", probe.binary_key(request.binary))
    # Its own TMPDIR is made when it is written down whose that is.
    version, features = _ask_binary(replace(commander, env=outside), memory)
    _adopt(client, commander, storage, request, tmpdir)
    return Opened(
        client=client, commander=commander, environment=request.environment, storage=storage,
        version=version, features=features, memory=memory, rootless=rootless, tmpdir=tmpdir,
        isolation=request.isolation, session=request.session, worker=request.worker,
        sweep=Sweep(commander, storage),
        own_storage=request.root is not None,
    )  # fmt: skip


def _diagnosis(request: OpenRequest, outside: dict[str, str]) -> EngineUnusable | None:
    """Why no agent starts in a user namespace, found out by an agent outside of it."""
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


def _adopt(
    client: AgentClient,
    commander: Commander,
    storage: StorageInfo,
    request: OpenRequest,
    tmpdir: Path,
) -> None:
    prefix = container_prefix(request.session, request.worker)
    folder = image_folder(request.session, request.worker)
    journal = storage.sessions / f"{request.session}-{request.worker}-{tmpdir.name[-8:]}.json"
    session = {"prefix": prefix, "tmpdir": str(tmpdir), "images": folder, "boot": probe.boot_id()}
    try:
        client.adopt(
            binary=str(commander.binary), storage=asdict(storage.options),
            env=dict(commander.env), prefix=prefix, images=folder, tmpdir=str(tmpdir),
            journal=str(journal), session=session,
        )  # fmt: skip
    except OSError as error:
        if error.filename == str(tmpdir):
            raise _no_tmpdir(tmpdir.parent) from error
        raise EngineUnusable(
            f"the container storage {storage.root} cannot be written to: {error.strerror}",
            hint="choose another with --zlayer-root and --zlayer-runroot",
        ) from error


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


def _no_tmpdir(base: Path) -> EngineUnusable:
    return EngineUnusable(
        f"nothing can be written to the temporary directory {base}",
        hint="set TMPDIR to a directory that is there",
    )


def _is_unused_vfs(storage: StorageInfo) -> bool:
    return storage.driver == "vfs" and not (storage.root / "vfs-images" / "images.json").exists()


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


def _ask_binary(commander: Commander, memory: Memory) -> tuple[Version, Features]:
    known_version = probe.version_from(memory.get("version"))
    known_features = probe.features_from(memory.get("features"))
    if known_version is not None and known_features is not None:
        return known_version, known_features
    version = probe.parse_version(_version_text(commander))
    features = probe.ask_features(lambda command: commander.output([*command.split(), "--help"]))
    memory.put("version", str(version))
    memory.put("features", probe.features_to(features))
    return version, features
