"""Bases, references between stages, the target and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.instructions import Copy
from pytest_zlayer.dockerfile.operations.kinds import SourceRef
from pytest_zlayer.dockerfile.parser.parse import parse, parse_trigger
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.resolve import (
    Base,
    StageGraph,
    needs_of,
    resolve_stages,
    similar_name,
    stage_label,
)
from pytest_zlayer.dockerfile.stages.sources import FromReference, references_in
from pytest_zlayer.dockerfile.stages.triggers import read_trigger
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")


def resolve(*lines: str, **options: Any) -> StageGraph:
    options.setdefault("build_platform", AMD)
    return resolve_stages(parse("\n".join(lines) + "\n"), **options)


def bases(*lines: str, **options: Any) -> list[Base]:
    return [node.base for node in resolve(*lines, **options).nodes]


def refusal(*lines: str, phase: str = "graph", **options: Any) -> str:
    with pytest.raises(DockerfileError) as raised:
        resolve(*lines, **options)
    assert raised.value.phase == phase
    return str(raised.value)


# What FROM names


def test_from_names_an_image():
    assert bases("FROM debian:12") == [Base("image", "debian:12")]


def test_scratch_is_nothing():
    assert bases("FROM scratch") == [Base("scratch")]


def test_from_names_an_earlier_stage():
    assert bases("FROM a AS b", "FROM b") == [Base("image", "a"), Base("stage", index=0)]


def test_stage_names_are_stored_in_lower_case():
    assert bases("FROM a AS Build", "FROM build")[1] == Base("stage", index=0)


def test_from_sees_only_stages_above_it():
    assert bases("FROM b", "FROM a AS b")[0] == Base("image", "b")


def test_a_stage_may_be_named_like_its_own_base_image():
    assert bases("FROM debian AS debian", "FROM debian") == [
        Base("image", "debian"),
        Base("stage", index=0),
    ]


def test_from_takes_the_latest_of_two_stages_with_one_name():
    found = bases("FROM a AS x", "FROM b AS x", "FROM x")
    assert found[2] == Base("stage", index=1)


def test_from_knows_no_stage_numbers():
    assert bases("FROM a", "FROM 0")[1] == Base("image", "0")


def test_from_does_not_find_a_stage_by_its_name_in_upper_case():
    assert refusal("FROM a AS x", "FROM X") == (
        'Dockerfile:2:6: failed to parse stage name "X": invalid reference format: repository name'
        " (library/X) must be lowercase\n"
        "    2 | FROM X\n"
        "      |      ^\n"
        "hint: the stage is called x: FROM finds stages by lower-case name only"
    )


def test_quotes_in_from_are_removed():
    assert bases('FROM "alpine"') == [Base("image", "alpine")]


def test_from_is_expanded_with_global_args():
    found = bases("ARG TAG=12", "FROM debian:${TAG}")
    assert found == [Base("image", "debian:12")]


def test_build_arguments_win_over_defaults_in_from():
    found = bases("ARG TAG=12", "FROM debian:$TAG", build_args={"TAG": "11"})
    assert found == [Base("image", "debian:11")]


def test_an_undeclared_build_argument_is_not_seen_by_from():
    assert "base name ($X) should not be blank" in refusal("FROM $X", build_args={"X": "a"})


def test_args_of_a_stage_are_not_seen_by_from():
    assert "base name ($X) should not be blank" in refusal("FROM a", "ARG X=b", "FROM $X")


def test_the_platform_is_normalised():
    found = bases("FROM --platform=linux/aarch64 a AS x", "FROM --platform=linux/amd64 x")
    assert found == [
        Base("image", "a", platform="linux/arm64"),
        Base("stage", index=0, platform="linux/amd64"),
    ]


def test_automatic_args_can_be_used_in_platforms():
    found = bases("FROM --platform=$BUILDPLATFORM a", platform=Platform("linux", "arm64"))
    assert found == [Base("image", "a", platform="linux/amd64")]


def test_the_target_platform_is_the_build_platform_by_default():
    found = bases("FROM --platform=$TARGETPLATFORM a")
    assert found == [Base("image", "a", platform="linux/amd64")]


# Errors of FROM


def test_a_blank_base_name_is_refused_with_a_hint():
    assert refusal("ARG TAG", "FROM $TAGG") == (
        "Dockerfile:2:6: base name ($TAGG) should not be blank\n"
        "    2 | FROM $TAGG\n"
        "      |      ^~~~~\n"
        "hint: did you mean $TAG?"
    )


def test_a_blank_base_name_from_an_arg_without_default_says_so():
    assert refusal("ARG TAG", "FROM $TAG").endswith(
        "hint: ARG TAG has no default: pass it as a build argument or give it one"
    )


def test_a_blank_base_name_from_nothing_asks_for_a_declaration():
    assert refusal("FROM $IMAGE_NAME").endswith(
        "hint: declare ARG IMAGE_NAME before the first FROM"
    )


def test_an_empty_base_name_is_refused():
    assert refusal('FROM ""').splitlines()[0] == (
        'Dockerfile:1:6: base name ("") should not be blank'
    )


def test_an_invalid_reference_is_refused_at_the_word():
    assert refusal("FROM --platform=amd64 a:: AS b") == (
        'Dockerfile:1:23: failed to parse stage name "a::": invalid reference format\n'
        "    1 | FROM --platform=amd64 a:: AS b\n"
        "      |                       ^~~"
    )


def test_a_word_that_cannot_be_expanded_is_refused_at_the_fault():
    assert refusal("FROM a${b^}") == (
        'Dockerfile:1:7: failed to process "a${b^}": unsupported modifier (^) in substitution\n'
        "    1 | FROM a${b^}\n"
        "      |       ^~~~"
    )


def test_an_empty_platform_is_refused():
    assert refusal("FROM --platform=$TARGETPLATFOR a") == (
        "Dockerfile:1:17: empty platform value from expression $TARGETPLATFOR (did you mean"
        " TARGETPLATFORM?)\n"
        "    1 | FROM --platform=$TARGETPLATFOR a\n"
        "      |                 ^~~~~~~~~~~~~~"
    )


def test_an_unknown_platform_is_refused():
    assert refusal("FROM --platform=foo a").splitlines()[0] == (
        'Dockerfile:1:17: failed to parse platform foo: "foo": unknown operating system or'
        " architecture: invalid argument"
    )


def test_a_platform_that_cannot_be_expanded_is_refused():
    assert refusal("FROM --platform=${ a").splitlines()[0] == (
        'Dockerfile:1:17: failed to process arguments for platform : failed to process "${":'
        " syntax error: missing '}'"
    )


def test_errors_of_stages_that_are_not_needed_count():
    assert "failed to parse stage name" in refusal("FROM A", "FROM b")


def test_all_independent_errors_come_together():
    text = refusal("FROM A", "FROM $X", "FROM b", "COPY --from=$Y a b", target="nope")
    assert [line for line in text.splitlines() if line.startswith("Dockerfile:")] == [
        (
            'Dockerfile:1:6: failed to parse stage name "A": invalid reference format:'
            " repository name"
            " (library/A) must be lowercase"
        ),
        "Dockerfile:2:6: base name ($X) should not be blank",
        'Dockerfile:3:6: target stage "nope" could not be found',
        (
            "Dockerfile:4:13: variable expansion is not supported for --from, define a new"
            " stage with"
            " FROM using ARG from global scope as a workaround"
        ),
    ]


def test_a_from_that_uses_a_broken_arg_is_not_reported_again():
    text = refusal("ARG A=${", "FROM $A")
    assert [line for line in text.splitlines() if line.startswith("Dockerfile:")] == [
        "Dockerfile:1:7: failed to process \"${\": syntax error: missing '}'"
    ]


def test_diagnostics_know_the_lines_of_their_instruction():
    with pytest.raises(DockerfileError) as raised:
        resolve("FROM a", "FROM \\", "$X")
    assert [one.lines for one in raised.value.diagnostics] == [(2, 3)]


def test_a_file_without_stages_is_refused():
    assert refusal("ARG A=1") == (
        "Dockerfile:1:1: dockerfile contains no stages to build\n"
        "    1 | ARG A=1\n"
        "      | ^~~~~~~\n"
        "hint: add a FROM instruction"
    )


# References to other stages


@pytest.mark.parametrize("source", ["build", "BUILD", "0", "+0"])
def test_copy_from_names_a_stage_by_name_in_any_case_or_by_number(source: str):
    graph = resolve("FROM a AS build", "FROM b", f"COPY --from={source} x y")
    assert graph.copy_source(1, source) == SourceRef("stage", index=0)
    assert graph.nodes[1].needs == (0,)


def test_copy_from_names_an_image_when_there_is_no_such_stage():
    assert resolve("FROM a").copy_source(0, "debian:12") == SourceRef("image", "debian:12")


def test_copy_from_scratch_is_nothing():
    assert resolve("FROM a").copy_source(0, "scratch") == SourceRef("scratch")


def test_copy_from_sees_the_last_of_two_stages_with_one_name():
    graph = resolve("FROM a AS x", "FROM b AS x", "FROM c")
    assert graph.copy_source(2, "x") == SourceRef("stage", index=1)


def test_an_empty_from_flag_is_not_given():
    assert resolve("FROM a", "COPY --from= x y").nodes[0].needs == ()


@pytest.mark.parametrize("number", ["2", "-1"])
def test_a_number_without_stage_is_refused(number: str):
    text = refusal("FROM a", "FROM b", f"COPY --from={number} x y")
    assert text.splitlines()[0] == f"Dockerfile:3:13: invalid stage index {number}"


@pytest.mark.parametrize("raw", ["$X", "'x'", "\\x"])
def test_copy_from_is_not_expanded(raw: str):
    with pytest.raises(DockerfileError, match="variable expansion is not supported for --from"):
        resolve("FROM a").copy_source(0, raw)


def test_all_wrong_references_of_a_stage_are_reported():
    text = refusal("FROM a", "COPY --from=5 x y", "COPY --from=6 x y")
    assert "2:13: invalid stage index 5" in text
    assert "3:13: invalid stage index 6" in text


def test_references_know_what_they_stand_in_and_where():
    graph = resolve(
        "FROM a AS x",
        "FROM b",
        "COPY --from=x a b",
        "RUN --mount=from=x,target=/m --mount=type=tmpfs,target=/t ls",
    )
    assert list(references_in(graph.nodes[1].stage.instructions)) == [
        FromReference("copy", "x", Span(3, 13, 3, 14)),
        FromReference("mount", "x", Span(4, 13, 4, 29), "/m"),
    ]


def test_copy_from_an_invalid_image_is_refused():
    assert refusal("FROM a", "COPY --from=a::b x y").splitlines()[0] == (
        'Dockerfile:2:13: failed to parse stage name "a::b": invalid reference format'
    )


def test_mounts_name_stages_in_any_case():
    graph = resolve("FROM a AS build", "FROM b", "RUN --mount=from=BUILD,target=/x ls")
    assert graph.nodes[1].needs == (0,)


def test_a_number_in_a_mount_is_an_image():
    graph = resolve("FROM a", "FROM b", "RUN --mount=from=0,target=/x ls")
    assert graph.mount_source(1, "0") == SourceRef("image", "0")
    assert graph.nodes[1].needs == ()


def test_a_stage_that_refers_to_itself_is_refused():
    assert refusal("FROM a AS x", "COPY --from=x a b") == (
        "Dockerfile:2:13: circular dependency detected on stage: x\n"
        "    2 | COPY --from=x a b\n"
        "      |             ^"
    )


def test_stages_that_refer_to_each_other_are_refused_once():
    text = refusal(
        "FROM a", "COPY --from=y a b", "FROM b AS y", "RUN --mount=from=z,target=/z ls",
        "FROM c AS z", "COPY --from=0 a b",
    )  # fmt: skip
    assert text.splitlines()[0] == (
        "Dockerfile:2:13: circular dependency detected on stage: stage-0"
    )
    assert text.count("circular") == 1


def test_two_circles_are_both_reported():
    text = refusal("FROM a AS x", "COPY --from=x a b", "FROM a AS y", "COPY --from=y a b")
    assert text.count("circular dependency") == 2


def test_a_stage_that_only_uses_a_circle_is_not_blamed():
    text = refusal("FROM a AS x", "COPY --from=x a b", "FROM b AS y", "COPY --from=x a b")
    assert text.count("circular dependency") == 1
    assert text.startswith("Dockerfile:2:13: circular dependency detected on stage: x\n")


def test_stages_used_twice_are_no_circle():
    graph = resolve(
        "FROM a AS x", "FROM a AS y", "COPY --from=x a b", "FROM y", "COPY --from=x a b",
        "COPY --from=y a b",
    )  # fmt: skip
    assert graph.nodes[2].needs == (0, 1)


def test_a_needed_stage_must_not_copy_from_a_later_one():
    text = refusal("FROM a AS t", "COPY --from=l x y", "FROM b AS l", target="t", phase="dispatch")
    assert text == (
        'Dockerfile:2:13: cannot copy from stage "l", it needs to be defined before current stage'
        ' "t"\n'
        "    2 | COPY --from=l x y\n"
        "      |             ^"
    )


def test_a_needed_stage_must_not_mount_from_a_later_one():
    text = refusal(
        "FROM a AS t", "RUN --mount=from=l,target=/m x", "FROM b AS l", target="t",
        phase="dispatch",
    )  # fmt: skip
    assert text.splitlines()[0] == (
        'Dockerfile:2:13: cannot mount from stage "l" to "/m", stage needs to be defined before'
        " current command"
    )


def test_a_stage_that_is_not_needed_may_refer_to_a_later_one():
    graph = resolve("FROM a", "COPY --from=l x y", "FROM b AS l")
    assert graph.needed == (1,)


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (
            StageGraph.copy_source,
            'cannot copy from stage "l", it needs to be defined before current stage "t"',
        ),
        (
            StageGraph.mount_source,
            'cannot mount from stage "l" to "", stage needs to be defined before current command',
        ),
    ],
)
def test_what_is_asked_for_a_later_stage_is_refused_at_the_from(
    find: Callable[[StageGraph, int, str], SourceRef], message: str
) -> None:
    graph = resolve("# a comment", "FROM a AS t", "FROM b AS l")
    with pytest.raises(DockerfileError) as raised:
        find(graph, 0, "l")
    assert raised.value.phase == "dispatch"
    (problem,) = raised.value.diagnostics
    assert (problem.message, problem.span.line) == (message, 2)


# Target and needed stages


def test_the_last_stage_is_the_target_by_default():
    assert resolve("FROM a", "FROM b").target == 1


def test_an_empty_target_is_the_default():
    assert resolve("FROM a", "FROM b", target="").target == 1


def test_a_target_is_named_in_any_case():
    assert resolve("FROM a AS x", "FROM b", target="X").target == 0


def test_a_target_with_two_stages_is_the_last():
    assert resolve("FROM a AS x", "FROM b AS x", "FROM c", target="x").target == 1


@pytest.mark.parametrize("target", ["0", "stage-2"])
def test_a_target_is_no_number(target: str):
    text = refusal("FROM a AS first", "FROM b", target=target)
    assert text.splitlines()[0] == (
        f'Dockerfile:2:6: target stage "{target}" could not be found'
        + (" (did you mean stage-1?)" if target == "stage-2" else "")
    )
    assert text.endswith("hint: stages that can be targets: first")


def test_an_unknown_target_is_compared_with_the_stages_there_are():
    assert refusal("FROM a AS build", "FROM b AS run", target="biuld") == (
        'Dockerfile:1:11: target stage "biuld" could not be found (did you mean build?)\n'
        "    1 | FROM a AS build\n"
        "      |           ^~~~~\n"
        "hint: stages that can be targets: build, run"
    )


def test_an_unknown_target_among_stages_without_names():
    assert refusal("FROM a", target="x").endswith(
        "hint: no stage has a name; without a target the last one is built"
    )


def test_only_what_the_target_needs_is_needed():
    graph = resolve(
        "FROM a AS base",
        "FROM a AS unused",
        "FROM base AS build",
        "FROM c AS assets",
        "FROM d",
        "COPY --from=build x y",
        "RUN --mount=from=assets,target=/a ls",
    )
    assert graph.needed == (0, 2, 3, 4)


def test_another_target_needs_other_stages():
    graph = resolve(
        "FROM a AS x", "FROM b AS y", "COPY --from=x / /", "FROM c AS z", "FROM y AS t", "FROM d",
        target="z",
    )  # fmt: skip
    other = graph.at_stage(3)
    assert [(one.target, one.needed) for one in (graph, other)] == [(2, (2,)), (3, (0, 1, 3))]


def test_the_global_scope_is_part_of_the_graph():
    graph = resolve("ARG A=1", "FROM a AS x", target="X", platform=Platform("linux", "arm64"))
    assert graph.globals["A"] == "1"
    assert graph.globals["TARGETSTAGE"] == "X"
    assert graph.globals["TARGETPLATFORM"] == "linux/arm64"
    assert graph.globals["BUILDPLATFORM"] == "linux/amd64"


def test_a_graph_knows_what_it_was_resolved_with():
    arm = Platform("linux", "arm64")
    graph = resolve("FROM a", build_args={"A": "1"}, platform=arm, contexts=["files"])
    assert (graph.build_args, list(graph.contexts)) == ({"A": "1"}, ["files"])
    assert (graph.platform, graph.build_platform) == (arm, Platform("linux", "amd64"))


def test_labels_of_stages():
    graph = resolve("FROM a AS X", "FROM b")
    assert [stage_label(node.stage) for node in graph.nodes] == ["x", "stage-1"]


# Named contexts


def test_a_named_context_takes_the_place_of_an_image():
    assert bases("FROM alpine:latest", contexts=["alpine"]) == [Base("context", "alpine")]


def test_a_named_context_is_found_by_its_full_name():
    found = bases("FROM debian:12", contexts=["docker.io/library/debian:12"])
    assert found == [Base("context", "docker.io/library/debian:12")]


def test_a_named_context_takes_the_place_of_a_stage():
    graph = resolve("FROM a AS dep", "RUN make", "FROM dep", "COPY --from=0 x y", contexts=["dep"])
    assert [node.base for node in graph.nodes] == [Base("context", "dep")] * 2
    assert graph.nodes[0].stage.instructions == ()
    assert graph.copy_source(1, "0") == SourceRef("context", "dep")
    assert graph.needed == (1,)


def test_copy_and_mounts_find_named_contexts():
    graph = resolve("FROM a", contexts=["files"])
    assert graph.copy_source(0, "files") == SourceRef("context", "files")
    assert graph.mount_source(0, "files") == SourceRef("context", "files")


def test_scratch_is_never_a_named_context():
    assert bases("FROM scratch", contexts=["scratch"]) == [Base("scratch")]


def test_the_reference_of_a_replaced_stage_is_still_checked():
    assert "failed to parse stage name" in refusal("FROM A AS dep", contexts=["dep"])


# ONBUILD triggers


def test_triggers_of_a_stage_add_to_what_its_children_need():
    graph = resolve("FROM a AS x", "FROM b AS base", "ONBUILD COPY --from=x a b", "FROM base")
    assert graph.needed == (0, 1, 2)
    assert [one.name for one in graph.nodes[2].triggers] == ["COPY"]


def test_a_trigger_that_is_no_instruction_is_refused_at_the_from_that_fires_it():
    assert refusal("FROM a AS base", "ONBUILD FOO x", "FROM base AS child", phase="dispatch") == (
        "Dockerfile:3:1: unknown instruction: FOO (did you mean FROM?)\n"
        "    3 | FROM base AS child\n"
        "      | ^~~~~~~~~~~~~~~~~~"
    )


def test_a_trigger_that_is_no_instruction_is_stored_when_nothing_fires_it():
    assert resolve("FROM a", "ONBUILD FOO x").needed == (0,)


def test_a_broken_trigger_of_a_stage_that_is_not_needed_does_not_count():
    graph = resolve("FROM a AS base", "ONBUILD FOO x", "FROM base", "FROM c")
    assert graph.needed == (2,)


def test_what_triggers_of_a_base_image_need_can_be_asked_for():
    graph = resolve("FROM a AS x", "FROM b")
    span = graph.nodes[1].stage.from_.span
    trigger = parse_trigger("COPY --from=x /a /b", span=span)
    assert needs_of(graph, [trigger]) == (0,)


def test_a_trigger_of_a_base_image_stands_at_the_from():
    graph = resolve("# a comment", "FROM a")
    stage = graph.nodes[0].stage
    found = read_trigger(graph.dockerfile, stage, "COPY --from=x /a /b")
    assert isinstance(found, Copy)
    assert found.from_ is not None
    assert {found.span, found.from_.span, *(one.span for one in found.sources)} == {
        stage.from_.span
    }


def test_a_wrong_trigger_of_a_base_image_shows_the_line_of_the_from():
    dockerfile = parse("FROM a\nRUN b\n", filename="api/Dockerfile")
    with pytest.raises(DockerfileError) as raised:
        read_trigger(dockerfile, dockerfile.stages[0], "FOO x")
    assert str(raised.value) == (
        "api/Dockerfile:1:1: unknown instruction: FOO (did you mean FROM?)\n"
        "    1 | FROM a\n"
        "      | ^~~~~~"
    )


def test_an_image_nobody_has_may_be_a_misspelt_stage():
    graph = resolve("FROM a AS builder", "FROM bulder")
    assert similar_name(graph, "bulder") == "builder"
    assert similar_name(graph, "ubunto") == "ubuntu"
    assert similar_name(graph, "registry.example.com/x") is None


# check options


def test_invalid_check_options_are_refused():
    assert refusal("# check=foo=bar", "FROM a") == (
        'Dockerfile:1:9: failed to parse check options: invalid check option "foo"\n'
        "    1 | # check=foo=bar\n"
        "      |         ^~~~~~~"
    )


def test_the_build_argument_replaces_the_check_directive():
    graph = resolve(
        "# check=foo=bar", "FROM a", build_args={"BUILDKIT_DOCKERFILE_CHECK": "skip=all"}
    )
    assert graph.target == 0
