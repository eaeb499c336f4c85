"""Every instruction: what it becomes, and what is refused before anything is expanded."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import (
    AnyInstruction,
    Cmd,
    Copy,
    DockerfileError,
    Entrypoint,
    ExecForm,
    Expose,
    From,
    Healthcheck,
    HealthProbe,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    ShellForm,
    Span,
    StopSignal,
    User,
    Volume,
    Workdir,
    parse,
)
from pytest_zlayer.dockerfile.parser.parse import parse_trigger


def one(line: str) -> AnyInstruction:
    (instruction,) = parse(f"FROM a\n{line}").instructions[1:]
    return instruction


def error_of(text: str) -> str:
    with pytest.raises(DockerfileError) as refused:
        parse(text)
    assert refused.value.phase == "instruction"
    assert len(refused.value.diagnostics) == 1
    return refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("line", "image", "name"),
    [
        ("FROM a", "a", None),
        ("from a as b", "a", "b"),
        ("FROM a AS Builder-1.x_y", "a", "builder-1.x_y"),
        ('FROM "a" aS as', '"a"', "as"),
        ("FROM --platform=$P $X", "$X", None),
    ],
)
def test_from(line: str, image: str, name: str | None) -> None:
    (instruction,) = parse(line).instructions
    assert isinstance(instruction, From)
    assert (instruction.image.value, instruction.stage_name) == (image, name)


@pytest.mark.parametrize(
    "line", ["FROM", "FROM a b", "FROM a AS", "FROM a at b", "FROM a AS b c", "FROM a # c d"]
)
def test_from_takes_one_or_three_words(line: str) -> None:
    assert error_of(line) == "FROM requires either one or three arguments"


@pytest.mark.parametrize("name", ["0", "1a", "a/b", "a:b", "-a", "é", '"a"'])
def test_stage_names_are_restricted(name: str) -> None:
    shown = name.replace('"', '\\"')
    assert error_of(f"FROM a AS {name}") == (
        f'invalid name for build stage: "{shown}", name can\'t start with a number'
        " or contain symbols"
    )


@pytest.mark.parametrize("line", ["COPY a", "COPY", "ADD a", "ADD", 'COPY ["a"]', "ADD []"])
def test_copying_takes_two_words(line: str) -> None:
    assert error_of(f"FROM a\n{line}") == (
        f"{line[:4].strip()} requires at least two arguments, but only one was provided."
        " Destination could not be determined"
    )


def test_copy_tells_sources_from_the_destination() -> None:
    copy = one("COPY a b c")
    assert isinstance(copy, Copy)
    assert [str(word) for word in copy.sources] == ["a", "b"]
    assert str(copy.destination) == "c"


def test_commands() -> None:
    cmd, entrypoint = one("CMD a  b"), one('ENTRYPOINT ["a", "b"]')
    assert isinstance(cmd, Cmd)
    assert isinstance(entrypoint, Entrypoint)
    assert cmd.command == ShellForm("a  b")
    assert entrypoint.command == ExecForm(("a", "b"))


def test_shell() -> None:
    shell = one('SHELL ["/bin/bash", "-c"]')
    assert isinstance(shell, Shell)
    assert shell.command == ("/bin/bash", "-c")


@pytest.mark.parametrize("text", ["/bin/bash -c", '["a",]', "['a']"])
def test_shell_wants_json(text: str) -> None:
    assert error_of(f"FROM a\nSHELL {text}") == "SHELL requires the arguments to be in JSON form"


def test_shell_wants_something() -> None:
    assert error_of("FROM a\nSHELL []") == "SHELL requires at least one argument"


def test_text_instructions() -> None:
    workdir, user = one("WORKDIR /a b"), one("USER u:g")
    signal, maintainer = one("STOPSIGNAL KILL"), one("MAINTAINER A <a@b>")
    assert isinstance(workdir, Workdir)
    assert isinstance(user, User)
    assert isinstance(signal, StopSignal)
    assert isinstance(maintainer, Maintainer)
    assert [str(workdir.path), str(user.user)] == ["/a b", "u:g"]
    assert [str(signal.signal), str(maintainer.author)] == ["KILL", "A <a@b>"]


def test_expose_sorts_its_ports() -> None:
    expose = one("EXPOSE 9 80/udp 80/tcp $P")
    assert isinstance(expose, Expose)
    assert [str(port) for port in expose.ports] == ["$P", "80/tcp", "80/udp", "9"]
    assert [str(port) for port in expose.args] == ["9", "80/udp", "80/tcp", "$P"]


def test_volume_trims_its_paths() -> None:
    volume = one('VOLUME [" /a ", "/b"]')
    assert isinstance(volume, Volume)
    assert [str(path) for path in volume.paths] == ["/a", "/b"]


@pytest.mark.parametrize("text", ['[""]', '["/a", " "]'])
def test_volume_wants_no_empty_path(text: str) -> None:
    message = "VOLUME specified can not be an empty string"
    assert error_of(f"FROM a\nVOLUME {text}") == message


def test_volume_wants_something() -> None:
    assert error_of("FROM a\nVOLUME []") == "VOLUME requires at least one argument"


def test_label_names_keep_their_quotes() -> None:
    label = one('LABEL "a b"="c"')
    assert isinstance(label, Label)
    assert [(str(pair.name), str(pair.value)) for pair in label.pairs] == [('"a b"', '"c"')]


def test_healthcheck_with_everything() -> None:
    flags = "--interval=1m30s --timeout=1.5s --start-period=2h --start-interval=1ms --retries=+3"
    check = one(f"HEALTHCHECK {flags} CMD true")
    assert isinstance(check, Healthcheck)
    assert check.probe == HealthProbe(
        ("CMD-SHELL", "true"),
        interval=90_000_000_000,
        timeout=1_500_000_000,
        start_period=7_200_000_000_000,
        start_interval=1_000_000,
        retries=3,
    )


@pytest.mark.parametrize("value", ["", "0", "0s"])
def test_healthcheck_durations_of_nothing_are_the_default(value: str) -> None:
    check = one(f"HEALTHCHECK --interval={value} --retries= CMD true")
    assert isinstance(check, Healthcheck)
    assert check.probe == HealthProbe(("CMD-SHELL", "true"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NONE a", "HEALTHCHECK NONE takes no arguments"),
        ('NONE ["a"]', "HEALTHCHECK NONE takes no arguments"),
        ("CMD", "Missing command after HEALTHCHECK CMD"),
        ("CMD []", "Missing command after HEALTHCHECK CMD"),
        ("foo", 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ('["a"]', 'Unknown type "[\\"A\\"]" in HEALTHCHECK (try CMD)'),
        ("--interval=5 CMD a", 'time: missing unit in duration "5"'),
        ("--interval=x CMD a", 'time: invalid duration "x"'),
        ("--timeout=999us CMD a", 'Interval "timeout" cannot be less than 1ms'),
        ("--start-period=-1s CMD a", 'Interval "start-period" cannot be less than 1ms'),
        ("--retries=-1 CMD a", "--retries cannot be negative (-1)"),
        ("--retries=x CMD a", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            "--retries=2147483648 CMD a",
            'strconv.ParseInt: parsing "2147483648": value out of range',
        ),
        ("--interval=x --bogus CMD a", "unknown flag: --bogus"),
        ("--interval=x FOO", 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ("--bogus FOO", "unknown flag: --bogus"),
    ],
)
def test_bad_healthchecks_are_refused(line: str, message: str) -> None:
    assert error_of(f"FROM a\nHEALTHCHECK {line}") == message


@pytest.mark.parametrize(
    "trigger", ["FOO x", "COPY a", "RUN --bogus", "SHELL x", "EXPOSE", "ENV a=b =c", "HEALTHCHECK"]
)
def test_onbuild_stores_what_may_fail_later(trigger: str) -> None:
    onbuild = one(f"ONBUILD {trigger}")
    assert isinstance(onbuild, Onbuild)
    assert onbuild.text == trigger


def test_onbuild_parses_its_trigger() -> None:
    onbuild = one('ONBUILD run --mount=target=/x ["a", "b"]')
    assert isinstance(onbuild, Onbuild)
    trigger = onbuild.trigger
    assert (trigger.keyword, trigger.json) == ("run", True)
    assert [str(flag) for flag in trigger.flags] == ["--mount=target=/x"]
    assert [str(word) for word in trigger.args] == ["a", "b"]
    assert trigger.source == 'run --mount=target=/x ["a", "b"]'
    assert trigger.span == Span(2, 9, 2, 41)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD onbuild", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("ONBUILD --x FROM x", "unknown flag: --x"),
    ],
)
def test_some_triggers_are_refused(line: str, message: str) -> None:
    assert error_of(f"FROM a\n{line}") == message


@pytest.mark.parametrize("line", ["ONBUILD ENV a", "ONBUILD ONBUILD LABEL a", "ONBUILD RUN [1]"])
def test_parse_errors_of_triggers_count_at_once(line: str) -> None:
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\n{line}")
    assert refused.value.phase == "parse"


def test_onbuild_a_thousand_times_over_is_one_error() -> None:
    assert error_of("FROM a\n" + "ONBUILD " * 20_000).startswith("Chaining ONBUILD")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("FOO", "FROM"),
        ("RUNN", "RUN"),
        ("cpoy", "copy"),
        ("Run.", "run"),
        ("XYZZY", None),
        ("", None),
        ("EXPOSEE", "EXPOSE"),
    ],
)
def test_unknown_instructions_are_refused(word: str, meant: str | None) -> None:
    suggestion = f" (did you mean {meant}?)" if meant else ""
    line = f"{word} x" if word else "\\"
    assert error_of(f"FROM a\n{line}") == f"unknown instruction: {word}{suggestion}"


def test_keywords_keep_their_spelling() -> None:
    assert one("rUn x").keyword == "rUn"


@pytest.mark.parametrize("line", ["RUN x", "ENV a=b", "ONBUILD RUN x", 'SHELL ["a"]'])
def test_only_arg_may_stand_before_the_first_from(line: str) -> None:
    assert error_of(f"ARG a\n{line}\nUSER x\nFROM a") == "no build stage in current context"


def test_a_broken_from_still_begins_a_stage() -> None:
    assert error_of("FROM a b\nRUN x") == "FROM requires either one or three arguments"


def trigger_error(text: str) -> str:
    with pytest.raises(DockerfileError) as refused:
        parse_trigger(text, span=Span(3, 1, 3, 7), file_text="ARG a\n\nFROM b\n", filename="D")
    assert refused.value.phase == "dispatch"
    return str(refused.value)


def test_a_trigger_is_parsed_when_it_fires() -> None:
    run = parse_trigger("RUN cat <<A\na\nA", span=Span(1, 1, 1, 7))
    assert isinstance(run, Run)
    assert run.command == ShellForm("cat <<A\na\nA")


def test_a_trigger_fails_at_the_from() -> None:
    assert trigger_error("COPY a") == (
        "D:3:1: COPY requires at least two arguments, but only one was provided."
        " Destination could not be determined\n"
        "    3 | FROM b\n"
        "      | ^~~~~~"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("FOO x", "unknown instruction: FOO (did you mean FROM?)"),
        ("ENV a", "ENV must have two arguments"),
        ("", "the Dockerfile cannot be empty"),
    ],
)
def test_bad_triggers_are_refused(text: str, message: str) -> None:
    assert trigger_error(text).startswith(f"D:3:1: {message}\n")


def test_to_dict_is_made_of_plain_values() -> None:
    text = "# syntax=s\nFROM --platform=p a AS B\nENV a=b\nRUN <<-'E'\nx\nE\nONBUILD CMD [\"c\"]\n"
    assert parse(text).to_dict() == {
        "escape": "\\",
        "syntax": "s",
        "instructions": [
            {
                "name": "FROM",
                "line": 2,
                "end_line": 2,
                "flags": ["--platform=p"],
                "args": ["a", "AS", "B"],
                "json": False,
                "heredocs": [],
            },
            {
                "name": "ENV",
                "line": 3,
                "end_line": 3,
                "flags": [],
                "args": ["a", "b"],
                "json": False,
                "heredocs": [],
            },
            {
                "name": "RUN",
                "line": 4,
                "end_line": 6,
                "flags": [],
                "args": ["<<-'E'"],
                "json": False,
                "heredocs": [{"name": "E", "content": "x\n", "expand": False, "chomp": True}],
            },
            {
                "name": "ONBUILD",
                "line": 7,
                "end_line": 7,
                "flags": [],
                "args": [],
                "json": False,
                "heredocs": [],
                "trigger": {
                    "name": "CMD",
                    "line": 7,
                    "end_line": 7,
                    "flags": [],
                    "args": ["c"],
                    "json": True,
                    "heredocs": [],
                },
            },
        ],
        "stages": [{"name": "b", "base": "a", "line": 2}],
    }
