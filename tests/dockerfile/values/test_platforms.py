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
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm64/9.0", "linux/arm64/v9"),
        ("linux/arm64/V9.0", "linux/arm64/v9"),
        ("linux/arm64/v8.1", "linux/arm64/v8.1"),
        ("linux/arm", "linux/arm/v7"),
        ("arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/5", "linux/arm/v5"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/8", "linux/arm/v8"),
        ("linux/arm/v8", "linux/arm/v8"),
        ("linux/arm/9", "linux/arm/9"),
        ("linux/armhf/v6", "linux/arm/v7"),
        ("linux/i386/sse2", "linux/386"),
        ("linux/mips64le/hardfloat", "linux/mips64le/hardfloat"),
        ("macos/arm64", "darwin/arm64"),
        ("foo/bar", "foo/bar"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ("windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64"),
        ("windows(+b+a+b)/amd64", "windows(+a+b)/amd64"),
        ("windows(10+a%2Fb%25)/amd64", "windows(10+a%2Fb%25)/amd64"),
        ("windows(1%2B2%28%29)", "windows(1%2B2%28%29)/amd64"),
    ],
)
def test_platforms_are_normalised(text: str, normal: str) -> None:
    assert str(parse_platform(text, HOST)) == normal


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("windows(10.0.17763+win32k)/arm/7", "windows/arm/v7"),
        ("windows(10.0.17763+win32k)", "windows/amd64"),
    ],
)
def test_the_version_of_the_operating_system_is_kept_apart(text: str, short: str) -> None:
    platform = parse_platform(text, HOST)
    assert platform.os_version == "10.0.17763"
    assert platform.os_features == ("win32k",)
    assert platform.short == short


def test_what_a_lone_word_leaves_out_is_the_hosts() -> None:
    host = Platform("freebsd", "arm", "v6")
    assert parse_platform("linux", host) == Platform("linux", "arm", "v6")
    assert parse_platform("arm64", host) == Platform("freebsd", "arm64")


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
        ("armv5l", "linux/arm/v5"),
        ("armv5tel", "linux/arm/v5"),
        ("armv6l", "linux/arm/v6"),
        ("armv7l", "linux/arm/v7"),
        ("armv8l", "linux/arm/v7"),
        ("i486", "linux/386"),
        ("i586", "linux/386"),
        ("i686", "linux/386"),
        ("loongarch64", "linux/loong64"),
        ("ppc64le", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_the_machine_name_tells_the_host_platform(machine: str, platform: str) -> None:
    assert str(host_platform(machine)) == platform
