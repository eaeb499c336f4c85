"""``build``: what its options mean; tests/engine builds with it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytest_zlayer.cli import make_parser
from pytest_zlayer.cli.build import spec_of
from pytest_zlayer.cli.options import read_settings


def _parsed(*argv: str) -> argparse.Namespace:
    return make_parser().parse_args(["build", *argv])


@pytest.fixture(autouse=True)
def _context(run):
    Path("Dockerfile").write_text("FROM scratch\n")
    Path("token").write_text("secret")


def test_options_reach_the_declaration(run, monkeypatch):
    monkeypatch.setenv("API_KEY", "x")
    arguments = _parsed(
        *(".", "--target=last", "--label", "a=b=c", "--secret", "id=t,src=token"),
        *("--secret", "id=k,env=API_KEY", "--secret", "id=API_KEY", "--ssh", "default"),
        *("--ssh", "git=agent.sock", "--network=none", "--format=docker", "--squash"),
    )
    spec = spec_of(arguments, read_settings(arguments))
    assert (spec.target, spec.labels) == ("last", {"a": "b=c"})
    assert spec.secrets == {
        "t": str(Path("token").absolute()),
        "k": "env:API_KEY",
        "API_KEY": "env:API_KEY",
    }
    assert spec.ssh == {"default": "default", "git": str(Path("agent.sock").absolute())}
    assert (spec.network, spec.format, spec.squash) == ("none", "docker", True)


def test_shared_options_reach_the_session():
    arguments = _parsed(".", "--retries=2", "--no-cache", "--pull=never", "--build-arg=A=1")
    options = read_settings(arguments).build_options()
    assert (options.retries, options.no_cache, options.pull) == (2, True, "never")
    assert options.build_args == {"A": "1"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--push"], "--push needs a --tag: it says where to push to"),
        (["--label", "a"], "--label: expected NAME=VALUE, not 'a'"),
        (["--secret", "id=a,src=nowhere"], "--secret: no such file: nowhere"),
        (["--secret", "src=token"], "--secret: expected id=ID,src=FILE or id=ID,env=NAME, not "),
        (["--layers=few"], "layers must be each, not 'few'"),
    ],
)
def test_mistakes_are_reported(run, argv, message):
    done = run("build", ".", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"pytest-zlayer: {message}")


def test_a_dockerfile_error_is_reported_before_anything_is_built(run):
    Path("Dockerfile").write_text("FROM scratch\nRUNN x\n")
    done = run("build", ".", "--buildah=/nowhere/buildah")
    assert done.code == 2
    assert done.err.startswith("pytest-zlayer: Dockerfile:2:1: unknown instruction: RUNN")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--iidfile=no/such/id", "--iidfile: no such directory: {here}/no/such"),
        ("--iidfile=.", "--iidfile: cannot write ."),
        ("--log-dir=Dockerfile", "--log-dir: expected a directory that can be written, not"),
        ("--log-dir=/proc/none", "--log-dir: expected a directory that can be written, not"),
        ("--log-dir=Dockerfile/logs", "--log-dir: expected a directory that can be written, not"),
        ("--tag=Bad Tag", "tags: 'Bad Tag' is not a name for an image: "),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_build(run, option, message):
    Path("Dockerfile").write_text("FROM scratch\n")
    done = run("build", ".", option, "--buildah=/missing")
    assert done.code == 2
    assert done.err.startswith(f"pytest-zlayer: {message}".format(here=Path.cwd()))
