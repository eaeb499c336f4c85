"""The build checks, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.lint.check import (
    RULES,
    CheckReport,
    Finding,
    check,
    examine,
    examine_text,
)
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.parser.parse import parse
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")


def found(*lines: str, **options: Any) -> list[Finding]:
    options.setdefault("build_platform", AMD)
    return check(parse("\n".join(lines) + "\n"), **options)


def shown(*lines: str, **options: Any) -> list[str]:
    """``Rule line:column message`` of every finding."""
    return [
        f"{one.name} {one.span.line}:{one.span.column} {one.message}"
        for one in found(*lines, **options)
    ]


def report(*lines: str, **options: Any) -> CheckReport:
    return examine(parse("\n".join(lines) + "\n"), build_platform=AMD, **options)


# How instructions are written


def test_a_stage_name_in_upper_case():
    assert shown("FROM a AS Build") == [
        "StageNameCasing 1:11 Stage name 'Build' should be lowercase"
    ]


@pytest.mark.parametrize(("keyword", "joint"), [("FROM", "as"), ("FROM", "As"), ("from", "AS")])
def test_as_in_another_case_than_from(keyword: str, joint: str):
    assert f"FromAsCasing 1:8 '{joint}' and '{keyword}' keywords' casing do not match" in shown(
        f"{keyword} a {joint} b"
    )


def test_from_in_mixed_case_is_reported_by_one_rule_only():
    assert shown("From a as b") == [
        (
            "ConsistentInstructionCasing 1:1 Command 'From' should match the case of the command"
            " majority (uppercase)"
        )
    ]


def test_an_empty_line_in_a_continuation_is_reported_at_the_last_line():
    assert shown("FROM a", "RUN x \\", "", "  y") == [
        "NoEmptyContinuation 4:1 Empty continuation line"
    ]


def test_an_empty_line_in_a_continuation_before_a_heredoc():
    assert shown("FROM a", "RUN \\", "", "cat <<A <<B", "a", "a", "A", "B") == [
        "NoEmptyContinuation 4:1 Empty continuation line"
    ]


def test_a_keyword_in_another_case_than_most():
    [one] = found("FROM a", "run x", "USER u")
    assert one.span == Span(2, 1, 2, 4)
    assert shown("FROM a", "run x", "USER u") == [
        (
            "ConsistentInstructionCasing 2:1 Command 'run' should match the case of the command"
            " majority (uppercase)"
        )
    ]


def test_keywords_in_upper_case_among_more_in_lower_case():
    assert shown("from a", "run x", "USER u") == [
        (
            "ConsistentInstructionCasing 3:1 Command 'USER' should match the case of the command"
            " majority (lowercase)"
        )
    ]


def test_as_many_keywords_in_either_case_are_for_upper_case():
    assert [one.span.line for one in found("from a", "RUN x")] == [1]


def test_args_before_from_are_not_counted():
    assert shown("arg a=1", "arg b=1", "FROM a") == []


def test_a_stage_name_used_twice():
    assert shown("FROM a AS x", "FROM a AS X") == [
        "StageNameCasing 2:11 Stage name 'X' should be lowercase",
        'DuplicateStageName 2:11 Duplicate stage name "x", stage names should be unique',
    ]


@pytest.mark.parametrize("name", ["scratch", "context"])
def test_a_reserved_stage_name(name: str):
    assert shown(f"FROM a AS {name}") == [
        (
            "ReservedStageName 1:11 Stage name should not use the same name as reserved stage"
            f' "{name}"'
        )
    ]


def test_maintainer():
    assert shown("FROM a", "MAINTAINER me") == [
        "MaintainerDeprecated 2:1 Maintainer instruction is deprecated in favor of using label"
    ]


@pytest.mark.parametrize("keyword", ["ENV", "LABEL"])
def test_pairs_without_equals_sign(keyword: str):
    assert shown("FROM a", f"{keyword} a b") == [
        (
            f'LegacyKeyValueFormat 2:1 "{keyword} key=value" should be used instead of legacy'
            f' "{keyword} key value" format'
        )
    ]


# FROM


def test_an_undeclared_arg_in_from():
    assert shown("ARG TAG=1", "FROM a:${TAGG:-2}") == [
        "UndefinedArgInFrom 2:6 FROM argument 'TAGG' is not declared (did you mean TAG?)"
    ]


def test_an_undeclared_arg_in_a_platform():
    assert shown("FROM --platform=${PLAT:-linux/arm64} a") == [
        "UndefinedArgInFrom 1:17 FROM argument 'PLAT' is not declared"
    ]


def test_a_declared_arg_without_value_is_declared():
    assert shown("ARG TAG", "FROM a${TAG}") == []


def test_a_default_that_gives_no_image_name():
    assert shown("ARG TAG", "FROM a:$TAG", build_args={"TAG": "1"}) == [
        (
            "InvalidDefaultArgInFrom 2:6 Default value for ARG a:$TAG results in empty or"
            " invalid base"
            " image name"
        )
    ]


@pytest.mark.parametrize("value", ["$TARGETPLATFORM", "${TARGETPLATFORM}"])
def test_the_target_platform_is_redundant(value: str):
    assert shown(f"FROM --platform={value} a") == [
        (
            f"RedundantTargetPlatform 1:17 Setting platform to predefined {value} in FROM is"
            f" redundant"
            " as this is the default behavior"
        )
    ]


def test_the_build_platform_is_not_redundant():
    assert shown("FROM --platform=$BUILDPLATFORM a") == []


def test_a_constant_platform():
    assert shown("FROM --platform=linux/arm64 a AS x") == [
        (
            "FromPlatformFlagConstDisallowed 1:17 FROM --platform flag should not use constant"
            " value"
            ' "linux/arm64"'
        )
    ]


@pytest.mark.parametrize("name", ["build-arm64", "linux_tools"])
def test_a_constant_platform_in_the_name_of_its_stage(name: str):
    assert shown(f"FROM --platform=linux/arm64 a AS {name}") == []


# Variables


def test_an_undefined_variable():
    assert shown("FROM a", "ENV NAME=1", "WORKDIR /$NAMES") == [
        "UndefinedVar 3:9 Usage of undefined variable '$NAMES' (did you mean $NAME?)"
    ]


def test_an_undefined_variable_with_a_default_is_undefined_too():
    assert shown("FROM a", "USER ${WHO:-me}") == [
        "UndefinedVar 2:6 Usage of undefined variable '$WHO'"
    ]


def test_a_global_arg_is_undefined_in_a_stage():
    assert [one.name for one in found("ARG G=1", "FROM a", "LABEL g=$G")] == ["UndefinedVar"]


def test_a_declared_arg_without_value_is_no_undefined_variable():
    assert shown("FROM a AS x", "ARG A", "FROM x", "LABEL a=$A") == []


def test_an_arg_is_declared_for_those_after_it_in_the_same_instruction():
    assert shown("FROM a", "ARG FIRST B=$FIRST C=$OTHER") == [
        "UndefinedVar 2:22 Usage of undefined variable '$OTHER'"
    ]


@pytest.mark.parametrize("line", ["RUN $x", 'CMD ["$x"]', "EXPOSE $x", "ONBUILD USER $x"])
def test_instructions_whose_variables_are_not_checked(line: str):
    assert shown("FROM a", line) == []


@pytest.mark.parametrize(
    "line",
    [
        "COPY $x /y",
        "COPY --chown=$x y /y",
        "ADD a $x",
        "VOLUME $x/",
        "LABEL $x=1",
        "RUN --mount=type=cache,target=/c$x y",
    ],
)
def test_instructions_whose_variables_are_checked(line: str):
    assert [one.name for one in found("FROM a", line)] == ["UndefinedVar"]


def test_variables_of_a_heredoc_are_checked():
    assert [one.name for one in found("FROM a", "COPY <<A /x", "$x", "A")] == ["UndefinedVar"]


def test_variables_of_a_known_base_image_are_defined():
    bases = {"a:1": ImageConfig(env={"HOME_DIR": "/h"}, os="linux")}
    assert shown("ARG T=1", "FROM a:$T", "WORKDIR $HOME_DIR", bases=bases) == []


def test_variables_in_triggers_of_a_known_base_image_are_reported_at_from():
    bases = {"a": ImageConfig(onbuild=("USER $x",), os="linux")}
    assert shown("# c", "FROM a", bases=bases) == [
        "UndefinedVar 2:1 Usage of undefined variable '$x'"
    ]


def test_an_arg_in_a_trigger_is_declared_for_those_after_it():
    bases = {"a": ImageConfig(onbuild=("ARG FIRST B=$FIRST",), os="linux")}
    assert shown("FROM a", bases=bases) == []


@pytest.mark.parametrize(
    "name", ["API_KEY", "apikey", "DB_PASSWORD", "TOKEN", "auth_x", "CREDENTIALS", "MY_SECRET_X"]
)
def test_a_name_that_tells_of_a_secret(name: str):
    assert shown("FROM a", f"ENV {name}=x") == [
        (
            "SecretsUsedInArgOrEnv 2:5 Do not use ARG or ENV instructions for sensitive data"
            f' (ENV "{name}")'
        )
    ]


def test_an_arg_whose_name_tells_of_a_secret():
    assert shown("FROM a", "ARG X Y_TOKEN=1") == [
        (
            "SecretsUsedInArgOrEnv 2:7 Do not use ARG or ENV instructions for sensitive data"
            ' (ARG "Y_TOKEN")'
        )
    ]


@pytest.mark.parametrize("name", ["PUBLIC_KEY", "KEY_FILE", "TOKEN_VERSION", "MONKEY", "KEYBOARD"])
def test_a_name_that_does_not_tell_of_a_secret(name: str):
    assert shown("FROM a", f"ENV {name}=x") == []


# Commands, paths and ports


@pytest.mark.parametrize("keyword", ["CMD", "ENTRYPOINT"])
def test_a_command_given_as_text(keyword: str):
    assert shown("FROM a", f"{keyword} run me") == [
        (
            f"JSONArgsRecommended 2:1 JSON arguments recommended for {keyword} to prevent"
            f" unintended"
            " behavior related to OS signals"
        )
    ]


def test_a_command_given_as_text_for_a_chosen_shell():
    assert shown("FROM a AS x", 'SHELL ["bash", "-c"]', "FROM x", "CMD run me") == []


@pytest.mark.parametrize(
    ("line", "keyword"),
    [('CMD ["a"]', "CMD"), ('ENTRYPOINT ["a"]', "ENTRYPOINT"), ("HEALTHCHECK NONE", "HEALTHCHECK")],
)
def test_an_instruction_of_which_only_the_last_counts(line: str, keyword: str):
    assert shown("FROM a", line, line) == [
        (
            f"MultipleInstructionsDisallowed 2:1 Multiple {keyword} instructions should not be"
            f" used in"
            " the same stage because only the last one will be used"
        )
    ]


def test_one_cmd_in_each_stage_is_fine():
    assert shown("FROM a AS x", 'CMD ["a"]', "FROM x", 'CMD ["a"]') == []


def test_the_first_workdir_is_relative():
    assert shown("FROM a", "WORKDIR app", "WORKDIR sub") == [
        (
            'WorkdirRelativePath 2:9 Relative workdir "app" can have unexpected results if the base'
            " image changes"
        )
    ]


def test_a_relative_workdir_after_one_of_the_stage_it_is_built_from():
    assert shown("FROM a AS x", "WORKDIR /app", "FROM x", "WORKDIR sub") == []


def test_a_copied_path_that_is_ignored():
    rules = IgnoreRules.parse("*.log\n/build\n")
    assert shown("FROM a", "COPY src out.log build/x ./", "ADD x.log /", ignore=rules) == [
        'CopyIgnoredFile 2:10 Attempting to Copy file "out.log" that is excluded by .dockerignore',
        'CopyIgnoredFile 2:18 Attempting to Copy file "build/x" that is excluded by .dockerignore',
        'CopyIgnoredFile 3:5 Attempting to Add file "x.log" that is excluded by .dockerignore',
    ]


def test_with_exceptions_no_copied_path_is_reported():
    rules = IgnoreRules.parse("*.log\n!keep.log\n")
    assert shown("FROM a", "COPY out.log /", ignore=rules) == []


def test_paths_copied_from_elsewhere_are_not_ignored():
    rules = IgnoreRules.parse("*\n")
    lines = ["FROM a AS x", "FROM b", "COPY --from=x y /", "ADD https://e.com/f /"]
    assert shown(*lines, ignore=rules) == []


def test_the_whole_context_is_reported_when_everything_is_ignored():
    assert shown("FROM a", "COPY . /", ignore=IgnoreRules.parse("**\n")) == [
        'CopyIgnoredFile 2:6 Attempting to Copy file "." that is excluded by .dockerignore'
    ]
    assert shown("FROM a", "COPY . /", ignore=IgnoreRules.parse("a\nb\n")) == []


def test_the_protocol_of_a_port_in_upper_case():
    assert shown("FROM a", "EXPOSE 80/TCP") == [
        "ExposeProtoCasing 2:8 Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"
    ]


def test_a_port_with_address_or_host_port():
    assert shown("FROM a", "EXPOSE 127.0.0.1:80:80 8080:80") == [
        (
            "ExposeInvalidFormat 2:8 EXPOSE instruction should not define an IP address or"
            " host-port"
            " mapping, found '127.0.0.1:80:80'"
        ),
        (
            "ExposeInvalidFormat 2:24 EXPOSE instruction should not define an IP address or"
            " host-port"
            " mapping, found '8080:80'"
        ),
    ]


# Descriptions: an experimental rule


def test_descriptions_are_checked_only_when_asked_for():
    assert shown("# about it", "ARG A=1", "FROM a") == []


def test_a_description_begins_with_the_name():
    lines = ["# check=experimental=all", "# A is good", "ARG A=1", "# other", "FROM a AS b"]
    assert shown(*lines) == [
        (
            "InvalidDefinitionDescription 5:1 Comment for FROM should follow the format: `# b"
            " <description>`"
        )
    ]


def test_a_description_of_several_args():
    lines = ["# check=experimental=InvalidDefinitionDescription", "FROM a", "# x", "ARG A=1 B=2"]
    assert shown(*lines) == [
        (
            "InvalidDefinitionDescription 4:1 Comment for ARG should follow the format: `#"
            " <arg_key>"
            " <description>`"
        )
    ]


# Which rules run, and how far


def test_rules_can_be_skipped_for_the_file():
    assert shown("# check=skip=StageNameCasing,FromAsCasing", "FROM a as B") == []


def test_all_rules_can_be_skipped():
    assert shown("# check=skip=all", "FROM a as B", "CMD x") == []


def test_rules_can_be_skipped_for_one_instruction():
    lines = ["FROM a", "# check=skip=SecretsUsedInArgOrEnv", "ENV TOKEN=1", "ENV TOKEN=2"]
    assert [one.span.line for one in found(*lines)] == [4]


def test_the_build_argument_replaces_the_directive():
    options = {"BUILDKIT_DOCKERFILE_CHECK": "skip=all"}
    assert shown("# check=error=true", "FROM a as B", build_args=options) == []


def test_findings_are_errors_when_the_file_says_so():
    assert [one.is_error for one in found("# check=error=true", "FROM a as b")] == [True]
    assert [one.is_error for one in found("FROM a as b")] == [False]


def test_every_finding_says_what_its_rule_is_about():
    (one,) = found("FROM a as b")
    assert one.doc == "Write AS in the same case as FROM." == RULES["FromAsCasing"]


def test_without_a_target_all_stages_are_checked():
    assert [one.span.line for one in found("FROM a", "CMD x", "FROM b", "CMD y")] == [2, 4]


def test_with_a_target_only_what_it_needs_is_checked():
    lines = ["FROM a AS x", "CMD x", "FROM b AS y", "CMD y"]
    assert [one.span.line for one in found(*lines, target="x")] == [2]


def test_a_finding_stands_on_the_first_line_of_its_instruction():
    assert shown("FROM a", "LABEL a=1 \\", "  b=$x") == [
        "UndefinedVar 2:1 Usage of undefined variable '$x'"
    ]


def test_a_dockerfile_that_cannot_be_built_is_checked_up_to_the_error():
    outcome = report("FROM a", "CMD x", "STOPSIGNAL none", "CMD y")
    assert [one.name for one in outcome.findings] == ["JSONArgsRecommended"]
    assert outcome.error is not None
    assert str(outcome.error) == (
        "Dockerfile:3:12: invalid signal: none\n    3 | STOPSIGNAL none\n      |            ^~~~"
    )


def test_what_was_looked_up_before_an_error_is_reported():
    outcome = report("FROM a", 'LABEL a="$x')
    assert [one.name for one in outcome.findings] == ["UndefinedVar"]
    assert outcome.error is not None


def test_variables_of_a_mount_with_an_error_are_reported():
    outcome = report("FROM a", "RUN --mount=type=cache,target=$x y")
    assert [one.name for one in outcome.findings] == ["UndefinedVar"]
    assert outcome.error is not None


def test_from_lines_are_checked_up_to_the_error():
    outcome = report("FROM a${x}", "FROM $y", "FROM b${z}")
    assert [one.message for one in outcome.findings if one.name == "UndefinedArgInFrom"] == [
        "FROM argument 'x' is not declared",
        "FROM argument 'y' is not declared",
    ]
    assert outcome.error is not None


def test_a_file_without_stages_has_an_error():
    outcome = report("ARG a=1")
    assert outcome.error is not None
    assert outcome.error.diagnostics[0].message == "dockerfile contains no stages to build"


def test_wrong_options_are_an_error_and_nothing_is_checked():
    outcome = report("# check=x", "FROM a as b")
    assert outcome.findings == ()
    assert outcome.error is not None
    assert outcome.error.diagnostics[0].message == (
        'failed to parse check options: invalid check option "x"'
    )


# Files that cannot be read to their end


def broken(*lines: str, **options: Any) -> list[str]:
    """``Rule line`` of every finding in a file that must be wrong."""
    outcome = examine_text("\n".join(lines) + "\n", **options)
    assert outcome.error is not None
    assert outcome.error.phase == "instruction"
    return [f"{one.name} {one.span.line}" for one in outcome.findings]


def test_a_file_is_checked_up_to_the_instruction_that_is_wrong():
    assert broken("FROM a as b", "RUNN x", "MAINTAINER me") == ["FromAsCasing 1"]


def test_all_errors_are_reported_even_if_the_search_ends_at_the_first():
    outcome = examine_text("FROM a\nFOO x\nMAINTAINER\nBAR y\n", filename="f")
    assert outcome.findings == ()
    assert outcome.error is not None
    assert [one.span.line for one in outcome.error.diagnostics] == [2, 3, 4]
    assert outcome.error.filename == "f"


def test_a_continuation_is_checked_wherever_it_stands():
    assert broken("RUNN x", "FROM a", "RUN b \\", "", " c") == ["NoEmptyContinuation 5"]


def test_the_wrong_instruction_is_checked_itself():
    assert broken("FROM a", "MAINTAINER") == ["MaintainerDeprecated 2"]
    assert broken("FROM a as b c") == ["FromAsCasing 1"]
    assert broken("FROM a as B", "FROM a as 1B") == [
        "StageNameCasing 1",
        "FromAsCasing 1",
        "StageNameCasing 2",
        "FromAsCasing 2",
    ]


def test_an_instruction_outside_of_a_stage_is_checked():
    assert broken("MAINTAINER me", "MAINTAINER you", "FROM a") == ["MaintainerDeprecated 1"]


def test_descriptions_are_checked_up_to_the_wrong_instruction():
    lines = ("# check=experimental=all", "# x", "ARG a", "FOO", "# y", "ARG b")
    assert broken(*lines) == ["InvalidDefinitionDescription 3"]


def test_a_broken_file_has_its_options():
    wrong = ("FROM a as b", "MAINTAINER")
    assert broken("# check=skip=FromAsCasing", *wrong) == ["MaintainerDeprecated 3"]
    assert broken(wrong[0], "# check=skip=MaintainerDeprecated", wrong[1]) == ["FromAsCasing 1"]
    assert broken(*wrong, build_args={"BUILDKIT_DOCKERFILE_CHECK": "skip=all"}) == []
    assert broken("# check=x", *wrong) == []


def test_findings_of_a_broken_file_may_be_errors_too():
    outcome = examine_text("# check=error=true\nFROM a as b\nFOO\n")
    assert [one.is_error for one in outcome.findings] == [True]
    assert outcome.error is not None


def test_what_cannot_be_cut_into_instructions_is_not_checked():
    outcome = examine_text("FROM a as b\nMAINTAINER me\nENV x\n")
    assert outcome.findings == ()
    assert outcome.error is not None
    assert outcome.error.phase == "parse"


def test_a_text_that_makes_sense_is_examined_whole():
    text = "FROM a as b\nWORKDIR x\n"
    assert examine_text(text, build_platform=AMD) == examine(parse(text), build_platform=AMD)


def test_a_fine_file_has_no_findings():
    assert report("FROM a AS b", "WORKDIR /x", 'CMD ["y"]') == CheckReport(())


# COPY --link


@pytest.mark.parametrize(
    ("instruction", "path"),
    [
        ("COPY --link a /tmp/", "/tmp"),
        ("COPY --link a /var/tmp/a", "/var/tmp"),
        ("ADD --link a /root/x/a", "/root"),
        ("COPY --link --chown=app a /usr/local/bin/", "/usr/local/bin"),
        ("COPY --link --chown=1:1 a b /opt", "/opt"),
        ("COPY --link . .", "/made"),
        ("COPY --link a /made/b/c", "/made"),
    ],
)
def test_link_onto_a_directory_that_is_there(instruction: str, path: str):
    [one] = found("FROM a", "USER app", "WORKDIR /made", instruction)
    assert (one.name, one.span.line) == ("CopyLinkReplacesDirectory", 4)
    keyword = instruction.partition(" ")[0]
    assert one.message == (
        f"{keyword} --link replaces the mode and owner of {path}, which the image already has"
    )


@pytest.mark.parametrize(
    "instruction",
    [
        "COPY --link a /usr/local/bin/",
        "COPY --link --chown=0:0 a /usr/local/bin/",
        "COPY --link --chown=root a /usr/local/bin/",
        "COPY --link a /tmp",
        "COPY --link --chown=app . .",
        "COPY --link --chown=app:app a /made/x",
        "COPY --link --chmod=644 a /tmp/",
        "COPY a /tmp/",
        "COPY --link --chown=app a /new/",
    ],
)
def test_link_that_changes_no_directory_that_is_known(instruction: str):
    assert found("FROM a", "USER app", "WORKDIR /made", instruction) == []


def test_link_in_a_stage_of_nothing_and_one_on_it():
    lines = "FROM scratch AS a", "COPY --link x /tmp/", "WORKDIR /w", "FROM a"
    assert found(*lines, "COPY --link x /w/") == []
    [one] = found(*lines, "COPY --link --chown=app x /w/")
    assert one.span.line == 5


def test_what_the_base_of_a_platform_defines_is_known():
    bases = {"a-arm64": ImageConfig(env={"X": "1"})}
    lines = "FROM a-$TARGETARCH", "RUN echo $X", "ENV A=$X"
    assert found(*lines, bases=bases, platform=Platform("linux", "arm64")) == []
    assert [one.name for one in found(*lines, bases=bases)] == ["UndefinedVar"]


def test_a_stage_whose_place_a_context_takes_is_not_looked_at():
    lines = "FROM a AS files", "WORKDIR x", "FROM b", "COPY --from=files / /"
    assert [one.name for one in found(*lines)] == ["WorkdirRelativePath"]
    assert found(*lines, contexts=("files",)) == []


def test_variables_that_an_unknown_image_may_define():
    lines = "ENV A=$X", "ARG B=$Y"
    assert found("FROM a", *lines, unknown_bases=True) == []
    for base in ("FROM scratch", "FROM known"):
        names = [
            one.message.partition("'")[2]
            for one in found(base, *lines, unknown_bases=True, bases={"known": ImageConfig()})
        ]
        assert names == ["$X'", "$Y'"]


def test_names_that_are_never_variables_hide_no_others():
    [one] = found("FROM a", "ENV A=$BUILDKIT_SBOM_SCAN_STAGE$other")
    assert one.message == "Usage of undefined variable '$other'"


def test_the_name_of_the_target_is_known():
    lines = ["FROM scratch AS dev", "ARG TARGETSTAGE", "WORKDIR ${TARGETSTAGE#dev}/w"]
    assert shown(*lines) == []
    assert shown(*lines, "FROM dev AS last", target="dev") == []
    assert [one.name for one in found(*lines, "FROM dev AS last")] == ["WorkdirRelativePath"]


def test_the_name_of_the_target_is_known_to_defaults_of_bases():
    nameless = report("ARG TAG=${TARGETSTAGE#default}", "FROM a:$TAG").findings
    assert [one.name for one in nameless] == ["InvalidDefaultArgInFrom"]
    lines = ["ARG BASE=${TARGETSTAGE#default}", "FROM $BASE AS dev"]
    assert shown(*lines) == []
    assert shown(*lines, target="dev") == []
