"""Assertions on the configuration and what they say when they fail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.checks.configuration import wanted_text
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Words
from tests.checks.subject import Subject, failure

VENDOR = "org.example.vendor"
NO_LABEL = "there is no label org.example.vendr\n"
HEALTH = "['CMD-SHELL', 'wget -q localhost']"
CONFIG = ImageConfig(
    env={"PATH": "/usr/bin:/bin", "PORT": "80"},
    labels={"org.example.vendor": "ACME"},
    user="app",
    workdir="/srv",
    entrypoint=Words(["/bin/app"]),
    cmd=Words(["serve", "--all"]),
    exposed_ports=("80/tcp", "53/udp"),
    volumes=("/data",),
    healthcheck=HealthProbe(
        test=("CMD-SHELL", "wget -q localhost"), interval=30 * 10**9, timeout=5 * 10**9, retries=3
    ),
)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(tmp_path, CONFIG)


def test_what_is_as_expected_passes(subject: Subject) -> None:
    subject.assert_env(PORT="80", PATH=re.compile("/bin$"), HOME=None)
    subject.assert_label("org.example.vendor")
    subject.assert_label("org.example.vendor", "ACME")
    subject.assert_user("app")
    subject.assert_workdir("/srv")
    subject.assert_entrypoint(["/bin/app"])
    subject.assert_entrypoint("/bin/app")
    subject.assert_cmd(("serve", "--all"))
    subject.assert_exposes(80, "53/udp", "80/tcp")
    subject.assert_exposes()
    subject.assert_volumes("/data/")
    subject.assert_volumes()
    subject.assert_healthcheck()
    subject.assert_healthcheck("wget -q localhost", interval=30, timeout=5, retries=3)
    subject.assert_healthcheck(["CMD-SHELL", "wget -q localhost"])
    subject.assert_healthcheck(re.compile("wget"))


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "reported"),
    [
        ("env", (), {"PORT": "81"}, "variable PORT is '80', expected '81'"),
        ("env", (), {"PROT": "80"}, "there is no variable PROT\n  near: PORT=80"),
        ("env", (), {"PORT": None}, "variable PORT is '80', expected none"),
        ("env", (), {"PORT": re.compile("x")}, "variable PORT is '80', expected a match of 'x'"),
        ("label", ("org.example.vendr",), {}, f"{NO_LABEL}  near: org.example.vendor=ACME"),
        ("label", (VENDOR, "A"), {}, "label org.example.vendor is 'ACME', expected 'A'"),
        ("user", ("root",), {}, "the user is 'app', expected 'root'"),
        ("workdir", ("/",), {}, "the working directory is '/srv', expected '/'"),
        ("entrypoint", (None,), {}, "ENTRYPOINT is ['/bin/app'], expected none"),
        ("cmd", (["serve"],), {}, "CMD is ['serve', '--all'], expected ['serve']"),
        ("exposes", (80, 81), {}, "port 81/tcp is not exposed\n  exposed: 80/tcp, 53/udp"),
        ("volumes", ("/x", "/y"), {}, "volumes /x, /y are not declared\n  volumes: /data"),
        ("healthcheck", ("curl",), {}, f"the health check is {HEALTH}, expected 'curl'"),
        ("healthcheck", (), {"interval": 3}, "its interval is 30 s, expected 3 s"),
        ("healthcheck", (), {"retries": 1}, "its retries are 3, expected 1"),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_reported(
    subject: Subject, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], reported: str
) -> None:
    assert failure(getattr(subject, f"assert_{name}"), *args, **kwargs) == f"api: {reported}"


@pytest.mark.parametrize(
    ("name", "args", "reported"),
    [
        ("label", ("x",), "there is no label x\n  there are no labels"),
        ("user", ("app",), "the user is '', expected 'app'"),
        ("entrypoint", (["a"],), "ENTRYPOINT is not set, expected ['a']"),
        ("exposes", (), "any port is not exposed\n  exposed: none"),
        ("volumes", (), "any volume is not declared\n  volumes: none"),
        ("healthcheck", (), "there is no health check"),
    ],
)
def test_an_image_that_says_nothing(
    tmp_path: Path, name: str, args: tuple[Any, ...], reported: str
) -> None:
    subject = Subject(tmp_path)
    assert failure(getattr(subject, f"assert_{name}"), *args) == f"api: {reported}"


def test_a_health_check_that_is_switched_off(tmp_path: Path) -> None:
    subject = Subject(tmp_path, ImageConfig(healthcheck=HealthProbe(test=("NONE",))))
    assert "switched off" in failure(subject.assert_healthcheck)


def test_a_command_in_shell_form_is_recognised(tmp_path: Path) -> None:
    subject = Subject(tmp_path, ImageConfig(cmd=Words(["/bin/sh", "-c", "serve"])))
    assert "the shell form" in failure(subject.assert_cmd, ["serve"])
    Subject(tmp_path).assert_cmd(None)


def test_patterns_are_reported_as_such() -> None:
    assert wanted_text("a") == "'a'"
    assert wanted_text(re.compile("a")) == "a match of 'a'"


def test_words_are_equal_to_lists_and_tuples() -> None:
    words = Words(["a", "b"])
    assert words == ["a", "b"]
    assert words == ("a", "b")
    assert words != ["a"]
    assert not words != ["a", "b"]  # noqa: SIM202  # the other operator
    assert words != "ab"
    assert hash(words) == hash(("a", "b"))
    assert repr(words) == "('a', 'b')"
