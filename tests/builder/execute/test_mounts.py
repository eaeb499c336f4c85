"""Mounts that cannot be had: where they stand, and what to give for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.execute.mounts import MountPreparer, MountRefused
from pytest_zlayer.builder.model.wording import COMMAND_LINE, Wording
from pytest_zlayer.dockerfile import parse
from pytest_zlayer.dockerfile.dispatch.instruction import begin_stage, dispatch
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import RunOperation
from pytest_zlayer.dockerfile.stages.resolve import resolve_stages


def run_of(text: str) -> RunOperation:
    graph = resolve_stages(parse(f"FROM scratch\n{text}\n"))
    state = begin_stage(graph, 0, ImageConfig())
    operation = dispatch(graph, 0, state, graph.nodes[0].stage.instructions[0])[1]
    assert isinstance(operation, RunOperation)
    return operation


def refused(tmp_path: Path, text: str, **given: Any) -> MountRefused:
    arguments: dict[str, Any] = {
        "secrets": {}, "ssh": {}, "build_args": {}, "wording": Wording(), "environment": {},
    }  # fmt: skip
    preparer = MountPreparer(
        scratch=tmp_path,
        caches=tmp_path,
        source_path=lambda *_: tmp_path,
        process=lambda argv: pytest.fail(str(argv)),
        check=lambda: None,
        **{**arguments, **given},
    )
    with pytest.raises(MountRefused) as caught:
        preparer.prepare(run_of(text), "oci")
    return caught.value


REQUIRED = "RUN --mount=type=tmpfs,target=/t --mount=type=secret,id=token,required true"
SSH = "RUN --mount=type=ssh,required true"


@pytest.mark.parametrize(
    ("text", "wording", "column", "told"),
    [
        (
            REQUIRED,
            Wording(),
            42,
            ("secret token: not found", "declare it: secrets={'token': 'path/or/env:NAME'}"),
        ),
        (
            REQUIRED,
            COMMAND_LINE,
            42,
            (
                "secret token: not found",
                "give it: --secret id=token,src=FILE or --secret id=token,env=NAME",
            ),
        ),
        (
            SSH,
            Wording(),
            13,
            (
                "ssh agent default: not given",
                "declare it: ssh={'default': '/path/of/the/agent.sock'}",
            ),
        ),
        (
            SSH,
            COMMAND_LINE,
            13,
            ("ssh agent default: not given", "give it: --ssh default or --ssh default=SOCKET"),
        ),
    ],
)
def test_what_is_missing_is_told_in_the_words_of_the_one_who_asked(
    tmp_path: Path, text: str, wording: Wording, column: int, told: tuple[str, str]
) -> None:
    error = refused(tmp_path, text, wording=wording)
    assert (error.message, error.hint) == told
    assert (error.span.line, error.span.column) == (2, column)


def test_secret_that_cannot_be_read_is_shown_at_its_mount(tmp_path: Path) -> None:
    error = refused(tmp_path, REQUIRED, secrets={"token": "env:NOWHERE"})
    assert error.message == "secret token: environment variable NOWHERE is not set"
    assert (error.span.line, error.span.column) == (2, 42)
