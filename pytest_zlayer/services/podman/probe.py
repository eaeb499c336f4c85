"""What podman can do on this machine: tried, and what works is remembered for this boot."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.agent.services import podman_options, podman_variables
from pytest_zlayer.buildah.agent.short_path import LONGEST_PATH, ShortPath
from pytest_zlayer.buildah.commands.probe import Memory, binary_key
from pytest_zlayer.buildah.commands.probe_container import exit_zero
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.services.errors import ServiceRefused
from pytest_zlayer.services.podman.commands import Podman, reason_of
from pytest_zlayer.services.podman.configuration import has_own_places, write_configuration
from pytest_zlayer.services.ports import claim_free_port

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine

_PATIENCE = 60.0
# netavark keeps its networks in files that can be written; CNI's are of another kind.
_BACKEND = "netavark"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What of podman works; each ``why_not`` is empty where it does.

    Attributes:
        version: of podman, empty when it does not answer.
        why_not: why no container can be run.
        why_no_ports: why no port can be published.
        uncertain: whether an attempt has failed for a reason that may pass.
        session: the session that has found out.
    """

    version: str = ""
    why_not: str = ""
    why_no_ports: str = ""
    uncertain: bool = False
    session: str = ""

    def holds_for(self, session: str) -> bool:
        """Whether a session may believe it: what did not work, somebody may have mended since."""
        return self.session == session or not (self.why_not or self.why_no_ports)


def find_podman(engine: Engine) -> Podman | None:
    """Podman on the storage of ``engine``, ``None`` where it is not installed."""
    environment = engine.process_environment()
    binary = shutil.which("podman", path=environment["PATH"])
    if binary is None:
        return None
    # Networks and addresses of dead sessions are only free once they have been removed.
    engine.swept()
    storage = engine.storage
    storage.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (storage.state / "networks").mkdir(mode=0o700, exist_ok=True)
    try:
        runroot = ShortPath.of(storage.options)
    except OSError as error:
        raise ServiceRefused(
            f"podman takes paths of {LONGEST_PATH} characters at most: {storage.runroot}: {error}",
            hint="give a shorter one with --zlayer-runroot",
        ) from error
    own = has_own_places(engine)
    if own:
        write_configuration(engine, environment)
    named = storage.options
    argv = (binary, *podman_options(named, runroot.path, own=own))
    return Podman(engine, argv, podman_variables(named, own=own), runroot, own)


def probe(podman: Podman) -> Verdict:
    """What works: found out now, by another process of this session, or earlier in this boot.

    Raises:
        EngineError: finding out was interrupted.
    """
    key = {
        **binary_key(Path(podman.argv[0])),
        "configuration": podman.engine.process_environment().get("CONTAINERS_CONF", ""),
        "rootless": podman.engine.rootless,
    }
    memory = Memory(podman.engine.storage.state / "podman-answers.json", key)
    session = podman.engine.session
    known = _recall(memory.get("verdict"))
    if known is None or not known.holds_for(session):
        known = _find_out(podman)
        if not known.uncertain:
            memory.put("verdict", asdict(replace(known, session=session)))
    return known


def _recall(answer: Any) -> Verdict | None:
    try:
        return Verdict(**answer)
    except TypeError:
        return None


def _find_out(podman: Podman) -> Verdict:
    try:
        found = json.loads(podman.output("info", "--format", "json", timeout=_PATIENCE))
        version = str(found["version"]["Version"])
        backend = str(found["host"].get("networkBackend", "cni"))
    except EngineError as error:
        if error.interrupted:
            raise
        return Verdict(why_not=str(error), uncertain=error.failure.kind in ("timeout", "crash"))
    except (ValueError, KeyError, TypeError) as error:
        return Verdict(why_not=str(error))
    program = exit_zero(platform.machine())
    if program is None:  # this package starts nothing here, and no image is at hand
        return Verdict(version)
    why_not, uncertain = _try(podman, program, "--network", "none")
    if why_not:
        return Verdict(version, why_not, uncertain=uncertain)
    if not podman.engine.rootless and backend != _BACKEND:
        return Verdict(version, "", f"its networks are those of {backend}, not of {_BACKEND}")
    why_no_ports, uncertain = _try_ports(podman, program)
    return Verdict(version, "", why_no_ports, uncertain)


def _try_ports(podman: Podman, program: bytes) -> tuple[str, bool]:
    with LOADING:
        from pytest_zlayer.services.podman.networks import PodmanNetworks

    networks = PodmanNetworks(podman)
    port = claim_free_port()
    try:
        where = networks.default_options(f"{podman.engine.prefix}probe")
        return _try(podman, program, *where, "--publish", f"127.0.0.1:{port.value}:80")
    finally:
        port.release()
        networks.close()


def _try(podman: Podman, program: bytes, *options: str) -> tuple[str, bool]:
    """Why a container does not run, empty when it does, and whether that may pass."""
    root = podman.engine.tmpdir / "podman-probe"
    os.makedirs(root, exist_ok=True)
    file = root / "exit-zero"
    file.write_bytes(program)
    file.chmod(0o755)
    name = f"{podman.engine.prefix}probe"
    done = podman.call(
        "run", "--rm", "--name", name, *options, "--log-driver", "none",
        "--rootfs", str(root), "/exit-zero", timeout=_PATIENCE,
    )  # fmt: skip
    if done.exit_code == 0:
        return "", False
    podman.call("rm", "--force", "--time", "0", name)
    why_not = "it did not end in time" if done.timed_out else reason_of(done)
    return why_not, done.timed_out or done.killed_by_signal is not None
