"""Platforms and their normal form."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.platforms import Platform, host_platform, parse_platform

HOST = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux", "linux/amd64"),
        ("windows", "windows/amd64"),
        ("arm64", "linux/arm64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("foo/bar", "foo/bar"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ("windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64"),
    ],
)
def test_platforms_are_normalised(text: str, normal: str) -> None:
    assert str(parse_platform(text, HOST)) == normal


def test_the_version_of_the_operating_system_is_kept_apart() -> None:
    platform = parse_platform("windows(10.0.17763)/amd64", HOST)
    assert platform.os_version == "10.0.17763"
    assert platform.short == "windows/amd64"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", '"foo": unknown operating system or architecture: invalid argument'),
        ("linux/*", '"linux/*": wildcards not yet supported: invalid argument'),
        ("a/b/c/d", '"a/b/c/d": cannot parse platform specifier: invalid argument'),
        (
            "linux/a b",
            (
                '"a b" is an invalid component of "linux/a b": '
                'platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument'
            ),
        ),
        (
            "",
            (
                '"" is an invalid OS component of "": OSAndVersion specifier component must match '
                '"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.%-]*)((?:\\\\+[A-Za-z0-9_.%-]+)*)'
                '\\\\))?$": invalid argument'
            ),
        ),
    ],
)
def test_errors_are_those_of_containerd(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"invalid argument$") as raised:
        parse_platform(text, HOST)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("ppc64le", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_the_machine_name_tells_the_host_platform(machine: str, platform: str) -> None:
    assert str(host_platform(machine)) == platform
