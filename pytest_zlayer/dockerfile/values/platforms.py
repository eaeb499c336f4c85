"""Platforms: ``os[(version)][/architecture[/variant]]``, normalised as container tools do."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.quoting import go_quote

_COMPONENT_PATTERN = "^[A-Za-z0-9_.-]+$"
_OS_PATTERN = r"^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$"
_KNOWN_OS = frozenset({
    "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux",
    "nacl", "netbsd", "openbsd", "plan9", "solaris", "windows", "zos",
})  # fmt: skip
_KNOWN_ARCHITECTURES = frozenset({
    "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le", "loong64",
    "mips", "mipsle", "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64",
    "s390", "s390x", "sparc", "sparc64", "wasm",
})  # fmt: skip
_ALIASES = {
    "i386": "386", "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm",
    "armel": "arm",
}  # fmt: skip
_MACHINES = {
    "i486": ("386", ""), "i586": ("386", ""), "i686": ("386", ""), "armv5l": ("arm", "v5"),
    "armv5tel": ("arm", "v5"), "armv6l": ("arm", "v6"), "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v7"), "loongarch64": ("loong64", ""),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on, in normal form (``variant`` is ``""`` where it is implied)."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        options = "".join(f"+{_encoded(feature)}" for feature in self.os_features)
        options = _encoded(self.os_version) + options
        system = f"{self.os}({options})" if options else self.os
        return "/".join(part for part in (system, self.architecture, self.variant) if part)

    @property
    def short(self) -> str:
        """The platform without version and features of the operating system."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_platform(text: str, default: Platform) -> Platform:
    """Read and normalise a platform; ``default`` fills in what a lone os or architecture omits.

    Raises:
        ValueError: the text BuildKit puts after ``failed to parse platform …: ``.
    """
    shown = go_quote(text)
    if "*" in text:
        raise ValueError(f"{shown}: wildcards not yet supported: invalid argument")
    parts = text.split("/", 3)
    system, version, features = _parse_os(parts[0], text)
    for part in parts[1:]:
        _check_component(part, text)
    if len(parts) > 3:
        raise ValueError(f"{shown}: cannot parse platform specifier: invalid argument")
    if len(parts) == 1:
        return _lone(text, Platform(system, "", "", version, features), default)
    return _normal(system, parts[1], "".join(parts[2:]), version, features)


def host_platform(machine: str) -> Platform:
    """The Linux platform of a machine as ``uname -m`` names it."""
    architecture, variant = _MACHINES.get(machine, (machine, ""))
    return _normal("linux", architecture, variant)


def _parse_os(part: str, text: str) -> tuple[str, str, tuple[str, ...]]:
    match = re.fullmatch(_OS_PATTERN, part)
    if match is None:
        raise ValueError(
            f"{go_quote(part)} is an invalid OS component of {go_quote(text)}: OSAndVersion "
            f"specifier component must match {go_quote(_OS_PATTERN)}: invalid argument"
        )
    features = (match[3] or "").split("+")[1:]
    decoded = sorted({unquote(feature) for feature in features})
    return _normal_os(match[1]), unquote(match[2] or ""), tuple(decoded)


def _check_component(part: str, text: str) -> None:
    if not re.fullmatch(_COMPONENT_PATTERN, part):
        raise ValueError(
            f"{go_quote(part)} is an invalid component of {go_quote(text)}: platform specifier "
            f"component must match {go_quote(_COMPONENT_PATTERN)}: invalid argument"
        )


def _lone(text: str, parsed: Platform, default: Platform) -> Platform:
    if parsed.os in _KNOWN_OS:
        architecture, variant = default.architecture, default.variant
        return Platform(parsed.os, architecture, variant, parsed.os_version, parsed.os_features)
    found = _normal(default.os, text, "")
    if found.architecture not in _KNOWN_ARCHITECTURES:
        raise ValueError(
            f"{go_quote(text)}: unknown operating system or architecture: invalid argument"
        )
    return found


def _normal(
    system: str, architecture: str, variant: str, version: str = "", features: tuple[str, ...] = ()
) -> Platform:
    name, variant = _normal_architecture(architecture.lower(), variant.lower())
    return Platform(system, name, variant, version, features)


def _normal_os(text: str) -> str:
    name = text.lower()
    return "darwin" if name == "macos" else name


def _normal_architecture(written: str, variant: str) -> tuple[str, str]:
    name = _ALIASES.get(written, written)
    if written == "i386":
        return name, ""
    if written in ("armhf", "armel"):
        return name, "v7" if written == "armhf" else "v6"
    if name == "amd64":
        return name, "" if variant == "v1" else variant
    if name == "arm64":
        return name, _arm64_variant(variant)
    if name == "arm":
        return name, f"v{variant or '7'}" if variant in ("", "5", "6", "7", "8") else variant
    return name, variant


def _arm64_variant(variant: str) -> str:
    if variant in ("8", "v8", "v8.0"):
        return ""
    return "v9" if variant in ("9", "9.0", "v9.0") else variant


def _encoded(option: str) -> str:
    for char in "%+()/":  # the percent sign first: it begins the others' codes
        option = option.replace(char, f"%{ord(char):02X}")
    return option
