"""How RUN can be isolated on this machine: tried once, with a program of a few bytes."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pytest_zlayer.buildah.commands.isolation_kinds import Isolation
from pytest_zlayer.buildah.commands.probe import Memory
from pytest_zlayer.buildah.commands.probe_container import Probe
from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.choices import ISOLATION_KINDS, OPEN_ISOLATIONS

_RUNTIMES = ("crun", "runc")
# The limits that buildah raises for its containers, and to what.
_LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
_UNLIMITED = 1048576


def choose(probe: Probe, wanted: str, memory: Memory, *, rootless: bool) -> Isolation:
    """The strongest isolation that works here, or the one that was asked for.

    Raises:
        EngineUnusable: there is no such isolation, or none works; it says what each failed with.
        EngineError: finding out was interrupted.
    """
    if wanted not in (*OPEN_ISOLATIONS, *ISOLATION_KINDS):
        choices = ", ".join((*OPEN_ISOLATIONS, *ISOLATION_KINDS))
        raise EngineUnusable(f"there is no isolation {wanted!r}", hint=f"there are: {choices}")
    kinds = ISOLATION_KINDS if wanted in OPEN_ISOLATIONS else (wanted,)
    to_try = list(candidates(kinds, probe.commander.env["PATH"], rootless=rootless))
    question = f"isolation {' '.join(f'{one.kind}:{one.runtime}' for one in to_try)}"
    remembered = _recall(memory.get(question))
    # Whatever the file says, nothing is run but what would be tried.
    if remembered is not None and remembered in (*to_try, _untried(wanted)):
        return remembered
    chosen = _try_all(probe, wanted, to_try, rootless=rootless)
    if not probe.uncertain:
        memory.put(question, asdict(chosen))
    return chosen


def _recall(answer: Any) -> Isolation | None:
    try:
        return Isolation(**answer)
    except TypeError:
        return None


def candidates(kinds: Sequence[str], path: str, *, rootless: bool) -> Iterator[Isolation]:
    """What to try, strongest first."""
    runtimes = [found for name in _RUNTIMES if (found := shutil.which(name, path=path))]
    for kind in kinds:
        if kind == "chroot":
            if shutil.which("unshare", path=path):
                yield Isolation("chroot", contained=True)
            yield Isolation("chroot")
        elif kind == "rootless" or not rootless or len(kinds) == 1:
            yield from (Isolation(kind, runtime) for runtime in runtimes)


def _try_all(
    probe: Probe, wanted: str, to_try: Sequence[Isolation], *, rootless: bool
) -> Isolation:
    if not probe.can_run:
        # There is no program for this machine to try with.
        return _untried(wanted)
    attempts: list[str] = []
    for candidate in to_try:
        problem = probe.attempt(candidate)
        if problem is None:
            return candidate
        attempts.append(f"  {candidate}: {problem}")
    raise EngineUnusable(_verdict(wanted, attempts), hint=_advice(wanted, attempts, rootless))


def _untried(wanted: str) -> Isolation:
    """What is taken where nothing can be tried."""
    return Isolation("chroot" if wanted in OPEN_ISOLATIONS else wanted, _runtime_for(wanted))


def _runtime_for(kind: str) -> str | None:
    return None if kind in (*OPEN_ISOLATIONS, "chroot") else _RUNTIMES[0]


def _verdict(wanted: str, attempts: list[str]) -> str:
    what = "RUN cannot be isolated on this machine"
    if wanted not in OPEN_ISOLATIONS:
        what = f"RUN does not work with isolation {wanted} on this machine"
    return "\n".join([f"{what}:", *(attempts or ["  no OCI runtime (crun, runc) is installed"])])


def _hard_limit(kind: int) -> str:
    """As SOFT:HARD; where there is none, what buildah takes."""
    hard = resource.getrlimit(kind)[1]
    number = _UNLIMITED if hard == resource.RLIM_INFINITY else hard
    return f"{number}:{number}"


def _advice(wanted: str, attempts: Sequence[str], rootless: bool) -> str:
    # The last one needs the least; of runc's reason only a warning may be left.
    if attempts and "rlimit" in attempts[-1].lower():
        limits = ", ".join(f'"{name}={_hard_limit(kind)}"' for name, kind in _LIMITS.items())
        return (
            "limits cannot be raised here: write into /etc/containers/containers.conf, below "
            f"[containers]: default_ulimits = [{limits}]"
        )
    if wanted not in OPEN_ISOLATIONS:
        return "leave --zlayer-isolation at auto"
    if rootless:
        return (
            "as an ordinary user: entries in /etc/subuid and /etc/subgid, the package uidmap, and "
            "in a container --security-opt seccomp=unconfined --device /dev/fuse"
        )
    return "in a container run it with --privileged or --cap-add SYS_ADMIN"
