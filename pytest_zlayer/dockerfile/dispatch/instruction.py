"""Instructions one by one: expanded, checked, turned into operations (phase "dispatch")."""

from __future__ import annotations

from dataclasses import replace

from pytest_zlayer.dockerfile.dispatch.copy import add_operation, copy_operation
from pytest_zlayer.dockerfile.dispatch.metadata import described
from pytest_zlayer.dockerfile.dispatch.run import run_operation
from pytest_zlayer.dockerfile.dispatch.state import StageState, absolute, child_state, first_state
from pytest_zlayer.dockerfile.dispatch.words import WordReader, expand_instruction
from pytest_zlayer.dockerfile.instructions import (
    Add,
    AnyInstruction,
    Arg,
    ArgDeclaration,
    Copy,
    From,
    Run,
    Workdir,
)
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import MetadataOperation, Operation, WorkdirOperation
from pytest_zlayer.dockerfile.stages.graph import StageGraph, error_in
from pytest_zlayer.dockerfile.stages.scope import NEVER_VARIABLES, proxy_args
from pytest_zlayer.dockerfile.stages.triggers import read_trigger

__all__ = [
    "StageState",
    "apply_expanded",
    "begin_stage",
    "dispatch",
    "proxy_args",
    "triggers_of",
]


def begin_stage(graph: StageGraph, index: int, base: ImageConfig | StageState) -> StageState:
    """The state in which a stage begins.

    Args:
        graph: the resolved stages.
        index: the stage.
        base: the state another stage of this file ended in, if that is its base; else the
            configuration of the base image (``ImageConfig()`` for scratch).
    """
    if isinstance(base, StageState):
        return child_state(base)
    scratch = graph.nodes[index].base.kind == "scratch"
    return first_state(base, graph.platform, scratch=scratch)


def triggers_of(
    graph: StageGraph, index: int, base: ImageConfig | StageState
) -> tuple[AnyInstruction, ...]:
    """The ONBUILD triggers of the base, to be dispatched before the stage's own instructions.

    Raises:
        DockerfileError: a trigger is no valid instruction; located at the stage's FROM.
    """
    if index in graph.sources.replaced:  # a named context fires nothing
        return ()
    config = base.config if isinstance(base, StageState) else base
    stage = graph.nodes[index].stage
    return tuple(read_trigger(graph.dockerfile, stage, text) for text in config.onbuild)


def dispatch(
    graph: StageGraph, index: int, state: StageState, instruction: AnyInstruction
) -> tuple[StageState, Operation]:
    """The state after an instruction of the stage, and what has to be done for it.

    Raises:
        DockerfileError: phase ``dispatch``, every mistake found in this instruction.
    """
    reader = WordReader(state.variables, graph.dockerfile.escape, state.declared)
    expanded = expand_instruction(instruction, reader)
    state, operation = apply_expanded(graph, index, state, expanded, reader)
    return state, replace(operation, instruction=instruction)


def apply_expanded(
    graph: StageGraph,
    index: int,
    state: StageState,
    expanded: AnyInstruction,
    reader: WordReader,
) -> tuple[StageState, Operation]:
    """The second half of ``dispatch``, for an instruction that ``reader`` has expanded.

    Raises:
        DockerfileError: phase ``dispatch``, what the reader noted before and now.
    """
    _raise_problems(graph, reader)
    operation: Operation = MetadataOperation(expanded, expanded.span)
    match expanded:
        case Copy():
            operation = copy_operation(graph, index, state, expanded, reader)
        case Add():
            operation = add_operation(state, expanded, reader)
        case Run():
            operation = run_operation(graph, index, state, expanded, reader)
        case Workdir():
            state, operation = _workdir(state, expanded)
        case Arg():
            state = _arg(graph, state, expanded, reader)
        case From():
            raise ValueError("FROM begins a stage: see begin_stage")
        case _:
            state = described(state, expanded, reader)
    _raise_problems(graph, reader)
    return state, operation


def _raise_problems(graph: StageGraph, reader: WordReader) -> None:
    if reader.problems:
        raise error_in(graph.dockerfile, reader.problems, "dispatch")


def _workdir(state: StageState, instruction: Workdir) -> tuple[StageState, Operation]:
    path = absolute(state.config.workdir, instruction.path.value)
    state = replace(state, config=replace(state.config, workdir=path))
    if path == "/":
        return state, MetadataOperation(instruction, instruction.span)
    return state, WorkdirOperation(instruction, path, state.config.user, instruction.span)


def _arg(graph: StageGraph, state: StageState, arg: Arg, reader: WordReader) -> StageState:
    for declaration in arg.declarations:
        name = declaration.name.value
        # Within one ARG each declaration sees those before it.
        reader.variables, reader.declared = state.variables, state.declared
        value = _arg_value(graph, declaration, reader)
        state = replace(state, declared=state.declared | {name})
        if value is not None and name not in NEVER_VARIABLES:
            state = state.with_arg(name, value)
    return state


def _arg_value(graph: StageGraph, declaration: ArgDeclaration, reader: WordReader) -> str | None:
    name = declaration.name.value
    if name in graph.build_args:
        return graph.build_args[name]
    if declaration.default is not None:
        return reader.word(declaration.default).value
    return graph.globals.get(name)
