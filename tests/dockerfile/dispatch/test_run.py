"""RUN: scripts, mounts, network, security."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.dispatch.instruction import begin_stage, dispatch
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import (
    MAIN_CONTEXT,
    BindMount,
    CacheMount,
    Mount,
    RunOperation,
    SecretMount,
    SourceRef,
    SshMount,
)
from pytest_zlayer.dockerfile.parser.parse import parse
from pytest_zlayer.dockerfile.stages.resolve import link_stages
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")


def run(*lines: str, target: str | None = None) -> RunOperation:
    """The operation of the last instruction."""
    graph = link_stages(parse("\n".join(lines) + "\n"), build_platform=AMD, target=target)
    state = begin_stage(graph, graph.target, ImageConfig(os="linux"))
    for instruction in graph.nodes[graph.target].stage.instructions:
        state, operation = dispatch(graph, graph.target, state, instruction)
    assert isinstance(operation, RunOperation)
    return operation


def mounts(*lines: str) -> tuple[Mount, ...]:
    return run(*lines).mounts


def refusal(*lines: str, target: str | None = None) -> str:
    with pytest.raises(DockerfileError) as raised:
        run(*lines, target=target)
    assert raised.value.phase == "dispatch"
    return str(raised.value)


def test_exec_form_runs_without_a_shell():
    assert run("FROM a", 'RUN ["ls", "-l"]').argv == ("ls", "-l")


def test_an_empty_run_runs_an_empty_script():
    assert run("FROM a", "RUN").argv == ("/bin/sh", "-c", "")


def test_run_without_arguments_in_json_form_is_refused():
    assert refusal("FROM a", "RUN []") == (
        "Dockerfile:2:1: arguments are required\n    2 | RUN []\n      | ^~~~~~"
    )


def test_a_heredoc_is_a_script_for_the_shell():
    found = run("FROM a", "RUN <<-'EOF'", "\techo $x", "\tEOF")
    assert (found.argv, found.script) == (("/bin/sh", "-c", "echo $x\n"), None)


def test_a_heredoc_with_an_interpreter_is_a_file():
    found = run("FROM a", "RUN <<EOF", "#!/usr/bin/env python3", "print()", "EOF")
    assert found.argv == ("/bin/sh", "-c", "/dev/pipes/EOF")
    assert found.script is not None
    assert found.script.text == "#!/usr/bin/env python3\nprint()\n"


def test_a_command_with_heredocs_is_handed_to_the_shell_as_written():
    found = run("FROM a", "RUN cat <<A <<B > /x", "$a", "A", "b", "B")
    assert found.argv[2] == "cat <<A <<B > /x\n$a\nA\nb\nB"


def test_run_sees_the_environment_user_and_workdir_in_force():
    found = run("FROM a", "ENV E=1", "ARG A=2", "USER u:g", "WORKDIR w", "RUN x")
    assert {"E": "1", "A": "2"}.items() <= found.env.items()
    assert (found.args, found.user, found.workdir) == ({"A": "2"}, "u:g", "/w")


def test_the_workdir_is_the_root_by_default():
    assert run("FROM a", "RUN x").workdir == "/"


def test_network_and_security_are_carried():
    found = run("FROM a", "RUN --network=none --security=insecure x")
    assert (found.network, found.security) == ("none", "insecure")
    found = run("FROM a", "RUN x")
    assert (found.network, found.security) == ("default", "sandbox")


def test_devices_are_refused():
    assert refusal("FROM a", "RUN --device=nvidia.com/gpu=all x").splitlines()[0] == (
        "Dockerfile:2:14: device feature is only supported in Dockerfile frontend 1.14.0-labs or"
        " later"
    )


def test_mounts_are_typed():
    assert mounts("FROM a", "RUN --mount=target=/src --mount=type=cache,target=/c x") == (
        BindMount("/src"),
        CacheMount("/c", "/c"),
    )


def test_a_relative_target_lies_below_the_workdir():
    assert mounts("FROM a", "WORKDIR /w", "RUN --mount=type=cache,target=c x") == (
        CacheMount("/w/c", "c"),
    )


def test_values_of_mounts_are_expanded():
    found = mounts("FROM a", "ARG D=/d", "RUN --mount=type=cache,target=$D,id=x$D x")
    assert found == (CacheMount("/d", "x/d"),)


def test_mounts_take_files_from_stages_images_and_the_context():
    found = mounts(
        "FROM a AS x",
        "FROM b",
        "RUN --mount=from=X,target=/x --mount=from=img,target=/i --mount=target=/c x",
    )
    assert [one.from_ for one in found if isinstance(one, BindMount)] == [
        SourceRef("stage", index=0),
        SourceRef("image", "img"),
        MAIN_CONTEXT,
    ]


def test_a_mount_from_a_later_stage_is_refused():
    lines = ("FROM a AS t", "RUN --mount=from=l,target=/x true", "FROM b AS l")
    assert refusal(*lines, target="t") == (
        'Dockerfile:2:13: cannot mount from stage "l" to "/x", stage needs to be defined before'
        " current command\n"
        "    2 | RUN --mount=from=l,target=/x true\n"
        "      |             ^~~~~~~~~~~~~~~~"
    )


def test_ssh_mounts_are_counted():
    found = mounts(
        "FROM a", "RUN --mount=type=ssh --mount=type=secret,id=s --mount=type=ssh,id=o x"
    )
    assert found == (
        SshMount("default", "/run/buildkit/ssh_agent.0"),
        SecretMount("s", "/run/secrets/s"),
        SshMount("o", "/run/buildkit/ssh_agent.1"),
    )


def test_all_wrong_mounts_are_reported():
    assert refusal("FROM a", "RUN --mount=type=bnd,target=/a --mount=type=tmpfs,target=$x x") == (
        'Dockerfile:2:13: unsupported mount type "bnd" (did you mean bind?)\n'
        "    2 | RUN --mount=type=bnd,target=/a --mount=type=tmpfs,target=$x x\n"
        "      |             ^~~~~~~~~~~~~~~~~~\n"
        'Dockerfile:2:40: invalid mount target "/"\n'
        "    2 | RUN --mount=type=bnd,target=/a --mount=type=tmpfs,target=$x x\n"
        "      |                                        ^~~~~~~~~~~~~~~~~~~~"
    )


def test_a_mount_that_cannot_be_expanded_is_refused():
    assert refusal("FROM a", "RUN --mount=target=${ x").splitlines()[0] == (
        "Dockerfile:2:13: failed to process \"${\": syntax error: missing '}'"
    )
