"""Checks of an image's configuration: environment, labels, entrypoint, ports and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pytest_zlayer.checks import words
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.shells import DEFAULT_SHELL

if TYPE_CHECKING:
    from pytest_zlayer.dockerfile.instructions import HealthProbe

Text: TypeAlias = "str | re.Pattern[str]"
Words: TypeAlias = "Sequence[str] | str | None"

_NANOSECONDS = 10**9


def is_expected(found: str, wanted: Text) -> bool:
    """Texts are compared exactly, compiled patterns are searched for."""
    return found == wanted if isinstance(wanted, str) else wanted.search(found) is not None


def wanted_text(wanted: Text) -> str:
    """What was expected, in a message."""
    return repr(wanted) if isinstance(wanted, str) else f"a match of {wanted.pattern!r}"


def variable_problems(env: Mapping[str, str], wanted: Mapping[str, Text | None]) -> list[str]:
    """What is wrong with environment variables; ``None`` as value: not set."""
    problems = []
    for name, value in wanted.items():
        problems += _value_problems(env, name, value, "variable", absent=value is None)
    return problems


def label_problems(labels: Mapping[str, str], name: str, value: Text | None) -> list[str]:
    """What is wrong with a label; ``None`` as value: any."""
    return _value_problems(labels, name, value, "label")


def _value_problems(
    known: Mapping[str, str], name: str, value: Text | None, what: str, *, absent: bool = False
) -> list[str]:
    if absent:
        return [f"{what} {name} is {known[name]!r}, expected none"] if name in known else []
    if name not in known:
        near = words.near(name, known)
        lines = [f"near: {', '.join(f'{one}={known[one]}' for one in near)}"] if near else []
        if not lines:
            lines = words.near_line(name, known, f"{what}s")
        return [f"there is no {what} {name}", *lines]
    if value is None or is_expected(known[name], value):
        return []
    return [f"{what} {name} is {known[name]!r}, expected {wanted_text(value)}"]


def value_problems(what: str, found: str, wanted: Text) -> list[str]:
    """What is wrong with a single text, such as the user."""
    if is_expected(found, wanted):
        return []
    return [f"{what} is {found!r}, expected {wanted_text(wanted)}"]


def words_problems(what: str, found: Sequence[str] | None, wanted: Words) -> list[str]:
    """What is wrong with an entrypoint or command; ``None``: it is not set."""
    expected = [wanted] if isinstance(wanted, str) else wanted
    if list(found or ()) == list(expected or ()):
        return []
    shown = "not set" if not found else repr(list(found))
    lines = [f"{what} is {shown}, expected {'none' if not expected else repr(list(expected))}"]
    if found and tuple(found[:2]) == DEFAULT_SHELL and expected:
        lines.append(
            f"it was written without brackets: the shell form; write {what} as a JSON list"
        )
    return lines


def port_problems(exposed: Sequence[str], ports: Sequence[int | str]) -> list[str]:
    """Which of these ports are not exposed; none given: whether any is."""
    wanted = [_port(one) for one in ports]
    missing = [one for one in wanted if one not in exposed]
    if not missing and (exposed or ports):
        return []
    shown = ", ".join(exposed) or "none"
    return [f"{_listed('port', missing)} not exposed", f"exposed: {shown}"]


def _port(port: int | str) -> str:
    text = str(port)
    return text if "/" in text else f"{text}/tcp"


def volume_problems(volumes: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Which of these paths are no volumes; none given: whether any is."""
    missing = [one for one in paths if one.rstrip("/") not in {two.rstrip("/") for two in volumes}]
    if not missing and (volumes or paths):
        return []
    return [
        f"{_listed('volume', missing)} not declared",
        f"volumes: {', '.join(volumes) or 'none'}",
    ]


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"any {what} is"
    return f"{what} {names[0]} is" if len(names) == 1 else f"{what}s {', '.join(names)} are"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHealthcheck:
    """What a health check is to be; times in seconds, ``None``: whatever it is."""

    test: Text | Sequence[str] | None = None
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    retries: int | None = None


def healthcheck_problems(probe: HealthProbe | None, wanted: WantedHealthcheck) -> list[str]:
    """What is wrong with the health check."""
    if probe is None or not probe.test:
        return ["there is no health check"]
    if probe.test[0] == "NONE":
        return ["the health check is switched off (HEALTHCHECK NONE)"]
    problems = []
    if wanted.test is not None and not _is_test(probe.test, wanted.test):
        expected = wanted.test if isinstance(wanted.test, (str, re.Pattern)) else None
        shown = wanted_text(expected) if expected is not None else repr(list(wanted.test))  # type: ignore[arg-type]  # a sequence here
        problems.append(f"the health check is {list(probe.test)!r}, expected {shown}")
    for name in ("interval", "timeout", "start_period"):
        seconds, expected_seconds = getattr(probe, name) / _NANOSECONDS, getattr(wanted, name)
        if expected_seconds is not None and seconds != expected_seconds:
            problems.append(f"its {name} is {seconds:g} s, expected {expected_seconds:g} s")
    if wanted.retries is not None and probe.retries != wanted.retries:
        problems.append(f"its retries are {probe.retries}, expected {wanted.retries}")
    return problems


def _is_test(test: Sequence[str], wanted: Text | Sequence[str]) -> bool:
    if isinstance(wanted, (str, re.Pattern)):
        return is_expected(" ".join(test[1:]), wanted)
    return list(wanted) in (list(test), list(test[1:]))
