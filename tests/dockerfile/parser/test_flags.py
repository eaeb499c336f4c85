"""Flags: where they end, how they are unquoted, which ones there are."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import (
    Add,
    Copy,
    DockerfileError,
    From,
    Healthcheck,
    Run,
    Span,
    parse,
)
from pytest_zlayer.dockerfile.instructions import HealthProbe


def flags(line: str, *, escape: str = "\\") -> list[str]:
    text = f"# escape={escape}\nFROM a\nARG {line} x"
    return [str(flag) for flag in parse(text).instructions[1].flags]


def error_of(line: str) -> str:
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\n{line}")
    assert refused.value.phase == "instruction"
    return refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("--a", ["--a"]),
        ("--a=b", ["--a=b"]),
        ("--a= --b", ["--a=", "--b"]),
        ('--a="x y"', ["--a=x y"]),
        ("--a='x y'", ["--a=x y"]),
        ("--'a b'=c", ["--a b=c"]),
        ("--a=x\\ y", ["--a=x y"]),
        ("--a='x\\'y'", ["--a=x'y"]),
        ('--a="x\\"y"', ['--a=x"y']),
        ("--a=\\\\", ["--a=\\"]),
        ("--a=\"'\"'\"'", ["--a='\""]),
        ("--a\t--b\u2003--c", ["--a", "--b", "--c"]),
        ("--a=à", ["--a=à"]),
        ("--- x", ["---"]),
        ("--=", ["--="]),
    ],
)
def test_flags_are_unquoted(written: str, read: list[str]) -> None:
    assert flags(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [("--a=x` y", ["--a=x y"]), ("--a='x`'y'", ["--a=x'y"]), ("--a=x\\y", ["--a=x\\y"])],
)
def test_the_escape_character_counts(written: str, read: list[str]) -> None:
    assert flags(written, escape="`") == read


def test_an_unclosed_quote_runs_to_the_end() -> None:
    (user,) = parse("FROM a\nRUN --mount='type=bind,target=/x y").instructions[1:]
    assert [str(flag) for flag in user.flags] == ["--mount=type=bind,target=/x y"]
    assert user.args == ()


def test_a_lone_escape_character_at_the_end_is_dropped() -> None:
    (run,) = parse("FROM a\nRUN --network=none\\ \\").instructions[1:]
    assert [str(flag) for flag in run.flags] == ["--network=none"]
    assert run.args == ()


def test_a_flag_knows_its_place_and_its_value_too() -> None:
    (run,) = parse("FROM a\nRUN --network=none --mount=target=/x true").instructions[1:]
    assert isinstance(run, Run)
    assert run.flags[1].span == Span(2, 20, 2, 37)
    assert run.mounts[0].span == Span(2, 28, 2, 37)


@pytest.mark.parametrize("line", ["RUN -x", "RUN - -x", "RUN x --network=y", "RUN -"])
def test_flags_start_with_two_dashes_and_stand_first(line: str) -> None:
    (run,) = parse(f"FROM a\n{line}").instructions[1:]
    assert run.flags == ()
    assert [word.value for word in run.args] == [line[4:]]


def test_two_dashes_end_flags() -> None:
    (copy,) = parse("FROM a\nCOPY --link -- --x y").instructions[1:]
    assert [str(flag) for flag in copy.flags] == ["--link"]
    assert [word.value for word in copy.args] == ["--x", "y"]


def test_quoted_dashes_end_flags_too() -> None:
    (copy,) = parse("FROM a\nCOPY --'' --x y").instructions[1:]
    assert copy.flags == ()


def test_from_takes_a_platform() -> None:
    (from_,) = parse("FROM --platform=linux/$A a").instructions
    assert isinstance(from_, From)
    assert str(from_.platform) == "linux/$A"


def test_an_empty_value_means_not_given() -> None:
    (copy,) = parse("FROM a\nCOPY --from= --chown= --chmod= x y").instructions[1:]
    assert isinstance(copy, Copy)
    assert (copy.from_, copy.chown, copy.chmod) == (None, None, None)


def test_copy_takes_its_flags() -> None:
    line = "COPY --from=b --chown=1:2 --chmod=0644 --link --parents --exclude=a --exclude=b x y"
    (copy,) = parse(f"FROM a\n{line}").instructions[1:]
    assert isinstance(copy, Copy)
    assert [str(copy.from_), str(copy.chown), str(copy.chmod)] == ["b", "1:2", "0644"]
    assert (copy.link, copy.parents) == (True, True)
    assert [str(word) for word in copy.exclude] == ["a", "b"]


def test_add_takes_its_flags() -> None:
    line = "ADD --checksum=c --unpack=false --keep-git-dir --link=TRUE x y"
    (add,) = parse(f"FROM a\n{line}").instructions[1:]
    assert isinstance(add, Add)
    assert str(add.checksum) == "c"
    assert (add.unpack, add.keep_git_dir, add.link) == (False, True, True)


def test_switches_that_are_not_given_have_three_values_where_it_matters() -> None:
    (add,) = parse("FROM a\nADD x y").instructions[1:]
    assert isinstance(add, Add)
    assert (add.unpack, add.keep_git_dir, add.link) == (None, None, False)


def test_run_takes_its_flags() -> None:
    line = "RUN --mount=type=tmpfs,target=/a --mount=target=/b --network=host --security=insecure"
    (run,) = parse(f"FROM a\n{line} --device=x,required x").instructions[1:]
    assert isinstance(run, Run)
    assert [str(mount) for mount in run.mounts] == ["type=tmpfs,target=/a", "target=/b"]
    assert (run.network, run.security) == ("host", "insecure")
    assert [str(device) for device in run.devices] == ["x,required"]


@pytest.mark.parametrize(
    "line", ["ARG --bogus x", "STOPSIGNAL --bogus 9", "HEALTHCHECK --bogus NONE"]
)
def test_some_instructions_never_look_at_their_flags(line: str) -> None:
    assert parse(f"FROM a\n{line}").instructions[1].flags[0].name == "bogus"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COPY --form=b x y", "unknown flag: --form (did you mean from?)"),
        ("COPY --From=b x y", "unknown flag: --From (did you mean from?)"),
        ("RUN --bogus x", "unknown flag: --bogus"),
        ("ENV --x a=b", "unknown flag: --x"),
        ("LABEL --x", "unknown flag: --x"),
        ("CMD --x a", "unknown flag: --x"),
        ("ENTRYPOINT --x a", "unknown flag: --x"),
        ("SHELL --x a", "unknown flag: --x"),
        ("USER --x a", "unknown flag: --x"),
        ("WORKDIR --x a", "unknown flag: --x"),
        ("VOLUME --x a", "unknown flag: --x"),
        ("EXPOSE --x a", "unknown flag: --x"),
        ("MAINTAINER --x a", "unknown flag: --x"),
        ("ONBUILD --x RUN a", "unknown flag: --x"),
        ("HEALTHCHECK --x CMD a", "unknown flag: --x"),
        ("COPY --from=a --from=b x y", "duplicate flag specified: --from"),
        ("COPY --link --link x y", "duplicate flag specified: --link"),
        ("COPY --from x y", "missing a value on flag: --from"),
        ("COPY --exclude x y", "missing a value on flag: --exclude"),
        ("COPY --link= x y", "missing a value on flag: --link"),
        ("COPY --link=1 x y", "expecting boolean value for flag --link, not: 1"),
        ("RUN --network=x a", 'invalid network mode "x"'),
        ("RUN --network= a", 'invalid network mode ""'),
        ("RUN --security=x a", 'security "x" is not valid'),
        ("RUN --device=a,b x", "invalid field 'b' must be a key=value pair"),
        ("RUN --device=name=a,name=b x", "device name already set to a"),
        ("RUN --device=required=x x", "invalid value for required: x"),
        ("RUN --device=a,nam=b x", "unexpected key 'nam' in 'nam=b' (did you mean name?)"),
        ("RUN --device= x", "failed to parse csv devices: EOF"),
        ("RUN --mount= x", "failed to parse csv mounts: EOF"),
        (
            "RUN --mount=type=bind,from=$x x",
            "'from' doesn't support variable expansion, define alias stage instead",
        ),
    ],
)
def test_bad_flags_are_refused(line: str, message: str) -> None:
    assert error_of(line) == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("FROM --x a b", "FROM requires either one or three arguments"),
        (
            "COPY --x a",
            (
                "COPY requires at least two arguments, but only one was provided."
                " Destination could not be determined"
            ),
        ),
        ("USER --x", "USER requires exactly one argument"),
        ("WORKDIR --x", "WORKDIR requires exactly one argument"),
        ("VOLUME --x", "VOLUME requires at least one argument"),
        ("EXPOSE --x", "EXPOSE requires at least one argument"),
        ("ONBUILD --x", "ONBUILD requires at least one argument"),
        ("HEALTHCHECK --x", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK --x NONE y", "HEALTHCHECK NONE takes no arguments"),
    ],
)
def test_missing_arguments_come_before_bad_flags(line: str, message: str) -> None:
    assert error_of(line) == message


@pytest.mark.parametrize(
    "line",
    [
        "CMD a", "ENTRYPOINT a", "ENV a=b", "EXPOSE 80", "LABEL a=b", "MAINTAINER a",
        "ONBUILD RUN a", 'SHELL ["a"]', "USER a", "VOLUME a", "WORKDIR a",
    ],
)  # fmt: skip
def test_instructions_without_flags_say_so(line: str) -> None:
    keyword, _, rest = line.partition(" ")
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\n{keyword} --x {rest}")
    assert refused.value.diagnostics[0].hint == f"{keyword} takes no flags"


def test_a_health_check_has_the_values_of_its_flags() -> None:
    flags = "--interval=5s --timeout=6s --start-period=7s --start-interval=8s --retries=3"
    (found,) = parse(f"FROM a\nHEALTHCHECK {flags} CMD curl localhost").instructions[1:]
    assert isinstance(found, Healthcheck)
    second = 1_000_000_000
    assert found.probe == HealthProbe(
        ("CMD-SHELL", "curl localhost"), 5 * second, 6 * second, 7 * second, 8 * second, 3
    )


def test_a_mount_may_end_in_a_dollar() -> None:
    assert parse("FROM a\nRUN --mount=from=x$ true").instructions[1].flags[0].value == "from=x$"
