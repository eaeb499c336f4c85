"""Instructions become operations and change the state of their stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pytest_zlayer.dockerfile.dispatch.instruction import (
    StageState,
    begin_stage,
    dispatch,
    triggers_of,
)
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import (
    MetadataOperation,
    Operation,
    RunOperation,
    WorkdirOperation,
)
from pytest_zlayer.dockerfile.parser.parse import parse
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, resolve_stages
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Walked:
    """The stages of a file after all needed ones were dispatched."""

    graph: StageGraph
    states: dict[int, StageState]
    operations: dict[int, list[Operation]]

    @property
    def state(self) -> StageState:
        return self.states[self.graph.target]

    @property
    def config(self) -> ImageConfig:
        return self.state.config

    @property
    def variables(self) -> dict[str, str]:
        """Without PATH, which every stage has."""
        return {name: one for name, one in self.state.variables.items() if name != "PATH"}

    @property
    def last(self) -> Operation:
        return self.operations[self.graph.target][-1]

    @property
    def run(self) -> RunOperation:
        assert isinstance(self.last, RunOperation)
        return self.last


def walk(*lines: str, base: ImageConfig | None = None, **options: Any) -> Walked:
    options.setdefault("build_platform", AMD)
    graph = resolve_stages(parse("\n".join(lines) + "\n"), **options)
    walked = Walked(graph, {}, {})
    for index in graph.needed:
        node = graph.nodes[index]
        begun: ImageConfig | StageState = base or ImageConfig(os="linux", architecture="amd64")
        if node.base.kind == "stage":
            begun = walked.states[node.base.index]
        state = begin_stage(graph, index, begun)
        walked.operations[index] = []
        for one in (*triggers_of(graph, index, begun), *node.stage.instructions):
            state, operation = dispatch(graph, index, state, one)
            walked.operations[index].append(operation)
        walked.states[index] = state
    return walked


def refusal(*lines: str, **options: Any) -> str:
    with pytest.raises(DockerfileError) as raised:
        walk(*lines, **options)
    assert raised.value.phase == "dispatch"
    return str(raised.value)


def first_line(*lines: str, **options: Any) -> str:
    return refusal(*lines, **options).splitlines()[0]


# How a stage begins


def test_a_base_without_path_gets_the_default_one():
    assert walk("FROM a").config.env == {"PATH": PATH}


def test_scratch_has_a_path_a_workdir_and_the_target_platform():
    arm = Platform("linux", "arm", "v7")
    config = walk("FROM scratch", base=ImageConfig(), platform=arm).config
    assert (config.env, config.workdir) == ({"PATH": PATH}, "/")
    assert (config.os, config.architecture, config.variant) == ("linux", "arm", "v7")


def test_the_path_of_the_base_is_kept():
    base = ImageConfig(env={"PATH": "/bin", "A": "1"}, os="linux")
    assert dict(walk("FROM a", base=base).state.variables) == {"PATH": "/bin", "A": "1"}


def test_windows_finds_its_own_path():
    assert walk("FROM a", base=ImageConfig(os="windows")).config.env == {}


def test_a_stage_inherits_from_the_stage_it_is_built_from():
    config = walk(
        "FROM a AS x",
        "ENV E=1",
        "ARG A=2",
        "WORKDIR /w",
        "USER u",
        'SHELL ["sh"]',
        'CMD ["c"]',
        'ENTRYPOINT ["e"]',
        'CMD ["c"]',
        "LABEL l=1",
        "VOLUME /v",
        "EXPOSE 80",
        "HEALTHCHECK NONE",
        "STOPSIGNAL 9",
        "ONBUILD USER other",
        "FROM x",
        "FROM x",
        "RUN true",
    )
    inherited = config.config
    assert (inherited.workdir, inherited.user, inherited.shell) == ("/w", "other", ("sh",))
    assert (inherited.cmd, inherited.entrypoint) == (("c",), ("e",))
    assert (inherited.labels, inherited.volumes) == ({"l": "1"}, ("/v",))
    assert (inherited.exposed_ports, inherited.stop_signal) == (("80/tcp",), "9")
    assert inherited.healthcheck == HealthProbe(("NONE",))
    assert config.variables == {"E": "1", "A": "2"}
    assert inherited.env == {"PATH": PATH, "E": "1"}


def test_onbuild_is_not_inherited_further():
    found = walk("FROM a AS x", "ONBUILD ENV A=1", "FROM x AS y", "ENV A=2", "FROM y")
    assert found.config.env["A"] == "2"
    assert found.config.onbuild == ()


def test_onbuild_stores_the_text_of_the_trigger():
    assert walk("FROM a", "ONBUILD RUN  x $y", "ONBUILD FOO").config.onbuild == (
        "RUN  x $y",
        "FOO",
    )


def test_triggers_of_the_base_image_come_first_and_are_cleared():
    base = ImageConfig(onbuild=("ENV A=1", "ENV B=$A"), os="linux")
    found = walk("FROM a", "ENV A=2", base=base)
    assert found.variables == {"A": "2", "B": "1"}
    assert found.config.onbuild == ()


def test_a_trigger_that_fails_is_located_at_the_from():
    base = ImageConfig(onbuild=("STOPSIGNAL $X",), os="linux")
    assert refusal("# c", "FROM image AS x", base=base) == (
        "Dockerfile:2:1: invalid signal: \n    2 | FROM image AS x\n      | ^~~~~~~~~~~~~~~"
    )


def test_a_trigger_with_two_instructions_is_refused():
    base = ImageConfig(onbuild=("USER a\nUSER b",), os="linux")
    assert first_line("FROM a", base=base) == (
        "Dockerfile:1:1: onbuild trigger should be a single expression"
    )


# ENV and ARG


def test_all_pairs_of_one_env_see_the_environment_before_it():
    assert walk("FROM a", "ENV a=old", "ENV a=1 b=$a").variables == {"a": "1", "b": "old"}


def test_env_replaces_in_place():
    found = walk("FROM a", "ENV a=1 b=2", "ENV a=3").config
    assert list(found.env.items()) == [("PATH", PATH), ("a", "3"), ("b", "2")]


def test_the_name_of_env_is_expanded():
    assert walk("FROM a", "ENV n=x", "ENV $n=1").variables == {"n": "x", "x": "1"}


def test_within_one_arg_each_declaration_sees_those_before():
    assert walk("FROM a", "ARG A=1 B=$A").variables == {"A": "1", "B": "1"}


def test_arg_does_not_reach_the_image_configuration():
    found = walk("FROM a", "ARG A=1")
    assert found.config.env == {"PATH": PATH}
    assert found.state.args == {"A": "1"}


def test_the_last_writer_of_a_name_wins_env_then_arg():
    found = walk("FROM a", "ENV X=e", "ARG X=a", "RUN x")
    assert (found.run.env["X"], found.config.env["X"]) == ("a", "e")
    assert found.run.args == {"X": "a"}


def test_the_last_writer_of_a_name_wins_arg_then_env():
    found = walk("FROM a", "ARG X=a", "ENV X=e", "RUN x", build_args={"X": "b"})
    assert (found.run.env["X"], found.run.args) == ("e", {})


def test_a_build_argument_wins_over_an_earlier_env():
    found = walk("FROM a", "ENV X=e", "ARG X", build_args={"X": "b"})
    assert found.variables == {"X": "b"}


def test_an_arg_without_value_leaves_env_alone():
    assert walk("FROM a", "ENV X=e", "ARG X").variables == {"X": "e"}


def test_a_stage_sees_a_global_arg_only_after_declaring_it():
    assert walk("ARG G=1", "FROM a", "ENV a=$G", "ARG G", "ENV b=$G").variables == {
        "a": "",
        "G": "1",
        "b": "1",
    }


def test_a_default_in_the_stage_beats_the_global_value():
    assert walk("ARG G=1", "FROM a", "ARG G=2").variables == {"G": "2"}


def test_automatic_args_must_be_declared_too():
    found = walk("FROM a", "ARG TARGETARCH", "ENV a=$TARGETARCH$TARGETOS").variables
    assert found == {"TARGETARCH": "amd64", "a": "amd64"}


def test_a_default_is_not_read_when_a_build_argument_is_given():
    assert walk("FROM a", "ARG X=${", build_args={"X": "b"}).variables == {"X": "b"}


def test_the_name_of_an_arg_is_not_expanded():
    assert walk("FROM a", "ARG $x=1").variables == {"$x": "1"}


def test_undeclared_build_arguments_are_not_variables():
    assert walk("FROM a", build_args={"X": "b", "HTTP_PROXY": "p"}).variables == {}


def test_options_of_the_builder_are_no_variables():
    assert walk("FROM a", "ARG BUILDKIT_SBOM_SCAN_STAGE=1").variables == {}


def test_words_that_cannot_be_expanded_are_all_reported_at_the_fault():
    assert refusal("FROM a", "ENV a=${b^} c=d e=x${") == (
        'Dockerfile:2:7: failed to process "${b^}": unsupported modifier (^) in substitution\n'
        "    2 | ENV a=${b^} c=d e=x${\n"
        "      |       ^~~~\n"
        "Dockerfile:2:20: failed to process \"x${\": syntax error: missing '}'\n"
        "    2 | ENV a=${b^} c=d e=x${\n"
        "      |                    ^~"
    )


def test_errors_of_stages_that_are_not_needed_do_not_count():
    assert walk("FROM a", "STOPSIGNAL x", "FROM b").graph.needed == (1,)


def test_the_escape_directive_is_used_in_expansion():
    assert walk("# escape=`", "FROM a", "ENV a=`$x b=\\$x").variables == {"a": "$x", "b": "\\"}


# Commands


def test_the_text_of_run_is_handed_to_the_shell_unexpanded():
    assert walk("FROM a", "RUN echo $x").run.argv == ("/bin/sh", "-c", "echo $x")


def test_run_uses_the_shell_in_force():
    found = walk("FROM a", 'SHELL ["/bin/bash", "-ec"]', "RUN x")
    assert found.run.argv == ("/bin/bash", "-ec", "x")


def test_run_on_windows_uses_cmd():
    assert walk("FROM a", "RUN x", base=ImageConfig(os="windows")).run.argv == (
        "cmd",
        "/S",
        "/C",
        "x",
    )


def test_an_empty_cmd_runs_an_empty_script():
    assert walk("FROM a", "CMD").config.cmd == ("/bin/sh", "-c", "")


def test_cmd_in_json_form_may_be_empty():
    assert walk("FROM a", "CMD []").config.cmd == ()


def test_shell_forms_are_stored_with_the_shell_in_force():
    found = walk("FROM a", 'SHELL ["s"]', "ENTRYPOINT e", "CMD c").config
    assert (found.entrypoint, found.cmd) == (("s", "e"), ("s", "c"))


def test_entrypoint_resets_an_inherited_cmd():
    base = ImageConfig(cmd=("inherited",), os="linux")
    assert walk("FROM a", 'ENTRYPOINT ["e"]', base=base).config.cmd is None


def test_entrypoint_keeps_a_cmd_of_its_own_stage():
    assert walk("FROM a", 'CMD ["c"]', 'ENTRYPOINT ["e"]').config.cmd == ("c",)


def test_entrypoint_resets_the_cmd_of_the_stage_it_is_built_from():
    found = walk("FROM a AS x", 'CMD ["c"]', "FROM x", 'ENTRYPOINT ["e"]')
    assert found.config.cmd is None


def test_entrypoint_can_be_cleared():
    base = ImageConfig(entrypoint=("e",), os="linux")
    assert walk("FROM a", "ENTRYPOINT []", base=base).config.entrypoint == ()


def test_healthcheck_does_not_use_the_shell_in_force():
    found = walk("FROM a", 'SHELL ["s"]', "HEALTHCHECK --retries=3 CMD x").config
    assert found.healthcheck == HealthProbe(("CMD-SHELL", "x"), retries=3)


# WORKDIR, USER and the rest


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        (["WORKDIR a"], "/a"),
        (["WORKDIR /a", "WORKDIR b/../c"], "/a/c"),
        (["WORKDIR /a/"], "/a/"),
        (["WORKDIR /a", "WORKDIR /b"], "/b"),
        (["WORKDIR /a", "WORKDIR ../.."], "/"),
        (["WORKDIR /a", "WORKDIR $none"], "/a"),
        (["ENV d=x", "WORKDIR /a/$d y"], "/a/x y"),
    ],
)
def test_workdir_joins_the_one_before(lines: list[str], path: str):
    assert walk("FROM a", *lines).config.workdir == path


def test_workdir_is_to_be_created_by_the_user_in_force():
    found = walk("FROM a", "USER u", "WORKDIR /a").last
    assert isinstance(found, WorkdirOperation)
    assert (found.path, found.user) == ("/a", "u")


def test_the_root_need_not_be_created():
    assert isinstance(walk("FROM a", "WORKDIR /").last, MetadataOperation)


def test_a_relative_workdir_of_the_base_is_made_absolute():
    assert walk("FROM a", base=ImageConfig(workdir="app", os="linux")).config.workdir == "/app"


def test_user_may_become_empty():
    assert walk("FROM a", "USER $none", base=ImageConfig(user="u", os="linux")).config.user == ""


def test_volumes_are_expanded_and_kept_once():
    assert walk("FROM a", "ENV v=/a", 'VOLUME ["$v", "/b"]', "VOLUME /a").config.volumes == (
        "/a",
        "/b",
    )


def test_a_volume_that_expands_to_nothing_is_refused():
    assert refusal("FROM a", "VOLUME /a $none") == (
        "Dockerfile:2:11: VOLUME specified can not be an empty string\n"
        "    2 | VOLUME /a $none\n"
        "      |           ^~~~~"
    )


def test_ports_are_expanded_and_split_again():
    found = walk("FROM a", 'ARG P="80 81/udp"', "EXPOSE $P 90-91 0443").config
    assert sorted(found.exposed_ports) == ["443/tcp", "80/tcp", "81/udp", "90/tcp", "91/tcp"]


def test_an_undefined_port_is_no_port():
    assert walk("FROM a", "EXPOSE $undef").config.exposed_ports == ()


def test_all_wrong_ports_are_reported():
    assert refusal("FROM a", "EXPOSE 80 99999 80/foo") == (
        "Dockerfile:2:11: invalid containerPort: 99999\n"
        "    2 | EXPOSE 80 99999 80/foo\n"
        "      |           ^~~~~\n"
        'Dockerfile:2:17: invalid port: "80/foo": invalid proto: foo\n'
        "    2 | EXPOSE 80 99999 80/foo\n"
        "      |                 ^~~~~~"
    )


def test_stop_signals_are_checked():
    assert walk("FROM a", "ENV s=TERM", "STOPSIGNAL SIG$s").config.stop_signal == "SIGTERM"
    assert first_line("FROM a", "STOPSIGNAL SIGFOO") == "Dockerfile:2:12: invalid signal: SIGFOO"


def test_labels_are_expanded_on_both_sides():
    found = walk("FROM a", "ENV a=1", 'LABEL "k $a"="v $a" x=1', "LABEL x=2").config
    assert found.labels == {"k 1": "v 1", "x": "2"}


def test_maintainer_is_the_author_as_written():
    assert walk("FROM a", "MAINTAINER $me").config.author == "$me"


@pytest.mark.parametrize("keyword", ["USER", "WORKDIR", "RUN", "COPY $a", "EXPOSE"])
def test_an_operation_names_the_instruction_as_it_was_written(keyword: str):
    found = walk("FROM a", "ENV a=1", f"{keyword} $a").last
    assert str(found.instruction.args[0]) == "$a"
    assert found.span == found.instruction.span


def test_the_root_as_working_directory_has_to_be_made_by_nobody():
    found = walk("FROM a", "WORKDIR /").last
    assert found == MetadataOperation(found.instruction, found.instruction.span)


def test_an_image_that_does_not_say_what_it_is_for_is_for_the_platform():
    platform = Platform("linux", "arm", "v7", "6.1")
    found = walk("FROM a", base=ImageConfig(), platform=platform).config
    assert (found.os, found.architecture, found.variant) == ("linux", "arm", "v7")
    assert (found.os_version, found.workdir) == ("6.1", "")


def test_windows_runs_a_script_by_its_shell_whatever_it_begins_with():
    lines = "RUN <<EOF", "#!x", "EOF"
    found = walk("FROM a", 'SHELL ["cmd"]', *lines, base=ImageConfig(os="windows")).run
    assert (found.argv, found.script) == (("cmd", "#!x\n"), None)
    assert found.span == found.instruction.span


def test_from_is_not_dispatched():
    found = walk("FROM a")
    with pytest.raises(ValueError, match=r"^FROM begins a stage: see begin_stage$"):
        dispatch(found.graph, 0, found.state, found.graph.nodes[0].stage.from_)
