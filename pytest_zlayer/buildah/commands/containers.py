"""Commands of buildah for working containers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_zlayer.buildah.agent.launch.prepare import PREPARATION
from pytest_zlayer.buildah.agent.records import Unreadable
from pytest_zlayer.buildah.commands import arguments, traces
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.isolation_kinds import Isolation, contain, runtime_root
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.lines import says_not_known
from pytest_zlayer.buildah.messages.meaning import classify
from pytest_zlayer.buildah.process.agent_process import agent_argv
from pytest_zlayer.buildah.process.command import Completed, Request
from pytest_zlayer.buildah.process.console_socket import END_OF_INPUT
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import ContainerSummary, parse_containers
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError

# Bytes of a path (sun_path of linux/un.h, which ends with a NUL).
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Lasting:
    """What more is to be done for a command beside which others will run.

    Attributes:
        on_start: called with its process.
        program: the file of this machine that takes the place of ``PROGRAM`` in the command.
    """

    on_start: Callable[[int], None]
    program: str = ""


def from_image(
    commander: Commander,
    name: str,
    image: str,
    platform: str | None,
    limits: arguments.Limits | None = None,
) -> str:
    """``buildah from`` without ever asking a registry; the name of the container."""
    wanted = image if image == "scratch" else arguments.image(image)
    words = [
        "from", "--quiet", "--pull=never", "--http-proxy=false",
        "--name", name, *arguments.platform_options(platform),
        *(limits.words() if limits is not None else ()), wanted,
    ]  # fmt: skip
    leaves = traces.of_from(commander, wanted)
    try:
        printed = commander.output(words, leaves=leaves)
    except EngineError as error:
        if not error.failure.may_pass:
            raise
        remove(commander, [name])
        printed = commander.output(words, leaves=leaves)
    if printed.strip() != name:
        raise EngineError(Failure("permanent", f"buildah from printed {printed.strip()!r}"))
    return name


def mount(commander: Commander, name: str) -> Path:
    """``buildah mount``; where the files of the container are."""
    printed = commander.repeatable(["mount", arguments.container(name)]).strip()
    root = Path(printed.splitlines()[-1] if printed else "")
    if not root.is_absolute():
        raise EngineUnusable(f"buildah mount printed no path: {printed!r}")
    return root


def unmount(commander: Commander, name: str) -> None:
    """``buildah umount``."""
    commander.repeatable(["umount", arguments.container(name)])


def copy_in(commander: Commander, name: str, source: Path, destination: str) -> None:
    """``buildah copy`` of a file of the host, or of what is in a directory of it."""
    words = ["copy", "--quiet", "--contextdir", str(source.parent.absolute())]
    words += [arguments.container(name), str(source.absolute()), destination]
    commander.output(words)


def rename(commander: Commander, name: str, other: str) -> None:
    """``buildah rename``."""
    commander.output(["rename", arguments.container(name), arguments.container(other)])


def listed(commander: Commander) -> tuple[ContainerSummary, ...]:
    """``buildah containers``: those of others too."""
    return parse_containers(commander.repeatable(["containers", "--all", "--json"]))


def remove_all(commander: Commander, names: Sequence[str]) -> None:
    """Removes containers; one that is gone already counts as removed."""
    done = remove(commander, names)
    if done.exit_code == 0:
        return
    if not says_not_known(done.stderr_tail):
        raise commander.failed(done)
    # At the first unknown one buildah may stop, so each gets its turn.
    for name in names if len(names) > 1 else ():
        remove_all(commander, [name])


def remove(commander: Commander, names: Sequence[str]) -> Completed:
    """``buildah rm``."""
    words = ["rm", *map(arguments.container, names)]
    leaves = traces.of_removed_containers(commander, names)
    return commander.call_again(words, leaves=leaves)


def run(
    commander: Commander,
    request: RunRequest,
    isolation: Isolation,
    storage: StorageInfo,
    tmpdir: Path,
    *,
    own_file: Path | None,
) -> Completed:
    """``buildah run``, contained as well as this machine allows.

    ``own_file``: a file of the container that is made if it is not there.
    """
    wanted = run_request(commander, request, isolation, storage, tmpdir, own_file=own_file)
    return result(commander, commander.runner.run(wanted), request)


def run_request(
    commander: Commander,
    request: RunRequest,
    isolation: Isolation,
    storage: StorageInfo,
    tmpdir: Path,
    *,
    own_file: Path | None = None,
    lasting: Lasting | None = None,
) -> Request:
    """How ``buildah run`` is started for a command."""
    options = arguments.RunOptions(
        env=request.env, user=request.user, workdir=request.workdir, volumes=request.volumes,
        network=request.network, isolation=isolation.kind, runtime=isolation.runtime,
        runtime_root=runtime_root(tmpdir, isolation), tmpfs=request.tmpfs,
        hostname=request.hostname, terminal=request.terminal is not None,
        cap_add=request.capabilities(),
    )  # fmt: skip
    line = commander.argv(arguments.run(request.container, request.argv, options))
    cut_off = request.network == "none" and isolation.kind == "chroot"
    if cut_off and not isolation.contained:
        raise EngineError(
            Failure("environment", "isolation chroot cannot cut a RUN off the network here")
        )
    wrapper = contain(network=not cut_off) if isolation.contained else []
    if request.terminal is not None and isolation.kind != "chroot":
        _check_console(tmpdir)
    preparation = _preparation(commander, request, storage, loopback=cut_off, file=own_file)
    prepare = agent_argv("prepare") if preparation else []
    init = agent_argv("init", lasting.program) if lasting is not None else []
    return Request(
        argv=[*wrapper, *init, *prepare, *line],
        env={**commander.env, **preparation},
        timeout=request.timeout,
        # buildah passes on what it reads: its end is none to a terminal.
        stdin=END_OF_INPUT if request.terminal == "recorded" else request.stdin,
        terminal=request.terminal,
        on_line=request.on_line,
        on_text=request.on_text,
        log=request.log,
        stdout=request.stdout,
        stderr=request.stderr,
        wrapped=bool(wrapper),
        relayed=isolation.kind == "chroot",
        hide_own_lines=True,
        announced=lasting is not None,
        on_start=None if lasting is None else lasting.on_start,
    )


def _check_console(tmpdir: Path) -> None:
    """It gets the terminal through a socket in its temporary directory, or breaks down."""
    if len(os.fsencode(tmpdir / "buildah4294967295" / "console.sock")) > _LONGEST_SOCKET:
        raise UsageError(
            f"buildah cannot make a terminal: {tmpdir} is too long for the path of a socket",
            hint="set TMPDIR to a shorter path",
        )


def result(commander: Commander, done: Completed, request: RunRequest) -> Completed:
    """What became of the command of a ``buildah run`` that has ended."""
    if done.timed_out:
        return overrun(done, request)
    # With chroot isolation buildah reports to the terminal of a command.
    said = done.stdout_tail if request.terminal == "recorded" else ()
    return _of_command(commander, done, request.argv, (*said, *done.stderr_tail))


def overrun(done: Completed, request: RunRequest) -> Completed:
    """The result of a command that was ended because its time was over: as timeout(1) has it."""
    return replace(done, argv=tuple(request.argv), exit_code=124, killed_by_signal=None)


def _preparation(
    commander: Commander,
    request: RunRequest,
    storage: StorageInfo,
    *,
    loopback: bool,
    file: Path | None,
) -> dict[str, str]:
    wanted: dict[str, object] = {}
    if loopback:
        wanted["loopback"] = True
    if file is not None:
        wanted["file"] = str(file)
    if request.hidden_env:
        identifier = container_id(commander, request.container)
        wanted["directory"] = str(storage.container_file(identifier))
        wanted["environment"] = dict(request.hidden_env)
    return {PREPARATION: json.dumps(wanted)} if wanted else {}


def container_id(commander: Commander, name: str) -> str:
    """The id of a working container.

    Raises:
        EngineError: there is none of this name.
    """
    with contextlib.suppress(Unreadable):
        for record in commander.records.called("containers", [name]):
            return str(record["id"])
    for one in listed(commander):
        if name in (one.name, one.id):
            return one.id
    raise EngineError(Failure("transient", f"the working container {name} is gone"))


def _of_command(
    commander: Commander, done: Completed, argv: Sequence[str], said: Sequence[str]
) -> Completed:
    """The result of the command itself, kept apart from buildah's own failures."""
    if done.exit_code == 0:
        return replace(done, argv=tuple(argv))
    code = -done.killed_by_signal if done.killed_by_signal else done.exit_code
    failure = classify(["run"], code, said)
    if failure.kind != "command":
        raise EngineError(
            commander.full_disk() or failure,
            command=arguments.masked(done.argv),
            exit_code=done.exit_code,
            stderr=said,
        )
    return replace(
        done,
        argv=tuple(argv),
        exit_code=done.exit_code if failure.exit_code is None else failure.exit_code,
        killed_by_signal=failure.signal,
    )
