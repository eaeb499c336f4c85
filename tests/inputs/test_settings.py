"""Where the value of an option comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.options import OPTIONS, Option
from pytest_zlayer.inputs.settings import (
    Setting,
    Settings,
    Source,
    environment,
    environment_source,
    resolve,
)


def source(name: str, **texts: Sequence[str]) -> Source:
    """A place that sets options, by their ini names without prefix."""
    return Source(
        describe=lambda _: name,
        texts=lambda option: texts.get(option.ini.removeprefix("zlayer_")),
        shown=lambda option: f"{option.flag} in {name}",
    )


def resolved(*sources: Source, variables: Mapping[str, str] | None = None) -> Settings:
    return resolve(sources, variables=variables or {})


def option(name: str) -> Option:
    return next(one for one in OPTIONS if one.name == name)


def test_an_option_has_three_names() -> None:
    retries = option("retry-delay")
    assert (retries.flag, retries.ini, retries.variable) == (
        "--zlayer-retry-delay",
        "zlayer_retry_delay",
        "ZLAYER_RETRY_DELAY",
    )


def test_what_nobody_sets_has_its_default() -> None:
    settings = resolved()
    for one in OPTIONS:
        expected = one.default
        if one.many:
            expected = {} if one.metavar.startswith("NAME=") else ()
        assert (settings[one.name], settings.origin(one.name)) == (expected, "default")
    assert settings.changed() == {}
    assert list(settings.shown()) == []


def test_the_first_place_that_sets_an_option_wins_and_its_last_word() -> None:
    settings = resolved(source("first", retries=["1", "2"]), source("second", retries=["3"]))
    assert settings.changed() == {"retries": Setting(2, "first")}


def test_a_place_may_tell_by_the_option_what_it_is() -> None:
    given = Source(
        describe=lambda option: f"a file with {option.ini}",
        texts=lambda option: ["2"] if option.name == "retries" else None,
        shown=lambda option: option.flag,
    )
    assert resolved(given).origin("retries") == "a file with zlayer_retries"


def test_mappings_of_all_places_are_merged_and_the_first_place_wins() -> None:
    settings = resolved(
        source("first", build_arg=["A=1", "B=2"]),
        source("second", build_arg=["B=3", "C=4"]),
        source("third", build_arg=[]),
    )
    assert settings["build-arg"] == {"A": "1", "B": "2", "C": "4"}
    assert settings.origin("build-arg") == "first, second"


def test_named_contexts_of_all_places_are_merged_too() -> None:
    settings = resolved(
        source("first", build_context=["a=docker-image://x"]),
        source("second", build_context=["a=docker-image://y", "b=docker-image://z"]),
    )
    assert settings["build-context"] == {"a": "docker-image://x", "b": "docker-image://z"}


def test_lists_of_all_places_are_joined_each_word_once() -> None:
    settings = resolved(
        source("first", cache_mount=["/b", "/c"]), source("second", cache_mount=["/a", "/b"])
    )
    assert settings["cache-mount"] == ("/a", "/b", "/c")


def test_values_of_build_arguments_are_not_shown() -> None:
    settings = resolved(
        source("file", build_arg=["TOKEN=x", "A=1"], retries=["2"], cache_mount=["/a", "/b"])
    )
    assert dict(settings.shown()) == {
        "retries": "2 (file)",
        "build-arg": "TOKEN+A (file)",
        "cache-mount": "/a+/b (file)",
    }


def test_the_environment_is_one_of_the_places() -> None:
    variables = {
        "ZLAYER_RETRIES": "3",
        "ZLAYER_REGISTRY": "it's one text",
        "ZLAYER_PULL": "",
        "ZLAYER_BUILD_ARG": "A='x y' B=2",
        "ZLAYER_CACHE_MOUNT": "",
    }
    settings = resolved(environment_source(variables))
    assert settings.changed() == {
        "retries": Setting(3, "environment"),
        "registry": Setting("it's one text", "environment"),
        "build-arg": Setting({"A": "x y", "B": "2"}, "environment"),
    }


A_COUNT = "expected a whole number of 0 or more"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"ZLAYER_RETRIES": "x"},
            "ZLAYER_RETRIES in the environment: expected a whole number of 0 or more, not 'x'",
        ),
        (
            {"ZLAYER_ROOT": "a\0b"},
            "ZLAYER_ROOT in the environment: expected text without NUL, not 'a\\x00b'",
        ),
        (
            {"ZLAYER_RETRIES": "x" * 1_000_000},
            f"ZLAYER_RETRIES in the environment: {A_COUNT}, not '{'x' * 200}…'",
        ),
        (
            {"ZLAYER_BUILD_ARG": "A='x"},
            'ZLAYER_BUILD_ARG in the environment: No closing quotation: "A=\'x"',
        ),
        (
            {"ZLAYER_BUILD_ARG": "A"},
            "ZLAYER_BUILD_ARG in the environment: expected NAME=VALUE, not 'A'",
        ),
    ],
)
def test_a_wrong_value_is_reported_with_its_place(variables: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved(environment_source(variables))
    assert caught.value.message == message


def test_builds_get_what_concerns_them_and_the_environment(tmp_path: Path) -> None:
    settings = resolved(
        source("file", retries=["2"], build_arg=["A=1"], durations=["3"]), variables={"X": "y"}
    )
    options = settings.build_options(cache_scope="mine", log_dir=tmp_path)
    assert (options.retries, options.build_args) == (2, {"A": "1"})
    assert (options.cache_scope, options.log_dir) == ("mine", tmp_path)
    assert options.environment == {"X": "y"}


def test_the_environment_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLAYER_RETRIES", "7")
    found = environment()
    monkeypatch.setenv("ZLAYER_RETRIES", "8")
    assert found["ZLAYER_RETRIES"] == "7"
