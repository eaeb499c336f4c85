"""RUN: the command line with its shell, typed mounts, network and security."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.declared_flags import given_flags
from pytest_zlayer.dockerfile.dispatch.state import StageState
from pytest_zlayer.dockerfile.dispatch.words import WordReader
from pytest_zlayer.dockerfile.instructions import Command, Run, ShellForm
from pytest_zlayer.dockerfile.operations.kinds import Mount, RunOperation
from pytest_zlayer.dockerfile.operations.mounts import MountFields, build_mount, parse_mount
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.stages.graph import StageGraph
from pytest_zlayer.dockerfile.written import Heredoc

NO_DEVICES = "device feature is only supported in Dockerfile frontend 1.14.0-labs or later"
_PIPES = "/dev/pipes"


def command_line(command: Command, state: StageState) -> tuple[str, ...]:
    """The arguments of a command: a shell form gets the SHELL in force put in front."""
    return (*state.shell, command.text) if isinstance(command, ShellForm) else command.argv


def run_operation(
    graph: StageGraph, index: int, state: StageState, instruction: Run, reader: WordReader
) -> RunOperation:
    """The operation of an expanded RUN; mistakes are noted by ``reader``."""
    mounts = _mounts(graph, index, state, instruction, reader)
    for device in instruction.devices:
        reader.refuse(NO_DEVICES, device.span)
    argv, script = _script(instruction, state)
    if not argv:
        reader.refuse("arguments are required", instruction.span)
    return RunOperation(
        instruction=instruction,
        argv=argv,
        env=state.variables,
        args=state.args,
        user=state.config.user,
        workdir=state.workdir,
        mounts=mounts,
        script=script,
        span=instruction.span,
        **given_flags(instruction, without={"mounts", "devices"}),
    )


def _script(instruction: Run, state: StageState) -> tuple[tuple[str, ...], Heredoc | None]:
    """The command line, and the here-document it names as an executable file if there is one."""
    script = instruction.script
    if script is None:
        return command_line(instruction.command, state), None
    if script.text.startswith("#!") and state.config.os != "windows":
        return (*state.shell, f"{_PIPES}/{script.name}"), script
    return (*state.shell, script.text), None


def _mounts(
    graph: StageGraph, index: int, state: StageState, instruction: Run, reader: WordReader
) -> tuple[Mount, ...]:
    builder = _MountBuilder(graph, index, state.workdir, reader)
    built = [builder.build(word) for word in instruction.mounts]
    return tuple(mount for mount in built if mount is not None)


@dataclass(slots=True)
class _MountBuilder:
    """Builds the mounts of one RUN in order."""

    graph: StageGraph
    index: int
    workdir: str
    reader: WordReader
    ssh_mounts: int = 0

    def build(self, word: Word) -> Mount | None:
        """The typed mount, or ``None`` when it has a mistake (which is noted)."""
        try:
            fields = parse_mount(word.value, lambda text: self.reader.text(text, word.span))
            return self._typed(fields, word.span)
        except ValueError as problem:
            self.reader.refuse(str(problem), word.span)
            return None

    def _typed(self, fields: MountFields, span: Span) -> Mount:
        source = None
        if fields.from_:
            source = self.graph.mount_source(
                self.index, fields.from_, target=fields.target, span=span
            )
        number = self.ssh_mounts
        self.ssh_mounts += fields.type == "ssh"
        return build_mount(fields, workdir=self.workdir, from_=source, ssh_index=number)
