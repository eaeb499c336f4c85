"""Every option, declared once: its names, type, default and help, and where a value came from."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.build.options import BuildOptions

KEEP_CHOICES = ("all", "failed", "none")
PULL_CHOICES = ("missing", "newer", "always", "never")
PROGRESS_CHOICES = ("auto", "plain", "live", "quiet")
ISOLATION_CHOICES = ("auto", "oci", "rootless", "chroot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting with its three names: ``--zlayer-x-y``, ``ZLAYER_X_Y`` and ``zlayer_x_y``.

    Attributes:
        name: the option without prefix, words joined by ``-``.
        help: what it is for, one sentence.
        convert: text to value; raises ``ValueError`` saying what was expected.
        default: the value when nobody sets it.
        metavar: what stands for the value in help texts; ``""`` for a switch.
        many: may be given several times; the values form a mapping or a tuple.
        bare: the text meant by the option without a value, or ``None``.
        field: the field of ``BuildOptions`` it sets, or ``None``.
    """

    name: str
    help: str
    convert: Callable[[str], Any]
    default: Any = None
    metavar: str = "VALUE"
    many: bool = False
    bare: str | None = None
    field: str | None = None

    @property
    def flag(self) -> str:
        """The pytest option."""
        return f"--zlayer-{self.name}"

    @property
    def ini(self) -> str:
        """The ini name, which is also where pytest keeps the command line's value."""
        return "zlayer_" + self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.ini.upper()


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it came from; ``origin`` is ``default`` when nobody set it."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Source:
    """One place that may set options: how it is called, and the texts it gives for each."""

    describe: Callable[[Option], str]
    texts: Callable[[Option], Sequence[str] | None]
    shown: Callable[[Option], str]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run, each with its origin, and the environment they were read from."""

    settings: Mapping[str, Setting]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def origin(self, name: str) -> str:
        """Where the value of ``name`` came from."""
        return self.settings[name].origin

    def changed(self) -> dict[str, Setting]:
        """The settings that somebody set, in the order of the options."""
        return {name: one for name, one in self.settings.items() if one.origin != "default"}

    def build_options(self, **more: Any) -> BuildOptions:
        """What the building session is given; ``more`` sets fields that are no options."""
        from pytest_zlayer.build.options import BuildOptions

        known = {one.field: self[one.name] for one in OPTIONS if one.field is not None}
        return BuildOptions(**{**known, "environment": self.environment, **more})


def _choice(choices: Sequence[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return convert


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected some text")
    return text.strip()


def _path(text: str) -> Path:
    return Path(_text(text)).expanduser().absolute()


def _program(text: str) -> str:
    return str(Path(text).expanduser().absolute()) if "/" in text else _text(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        raise ValueError("expected a whole number of 0 or more")
    return int(text)


def _number(text: str, *, least: float, words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        raise ValueError(f"expected {words}")
    return value


def _seconds(text: str) -> float:
    return _number(text, least=0.0, words="a number of seconds, 0 or more")


def _factor(text: str) -> float:
    return _number(text, least=1.0, words="a number of 1 or more")


def _limit(text: str) -> float | None:
    """Seconds, where 0 means that there is no limit."""
    return _seconds(text) or None


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected true or false")


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


def _span(text: str) -> float:
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw])\s*", text.lower())
    if not found:
        raise ValueError("expected a time such as 12h or 14d")
    return float(found[1]) * _SPANS[found[2]]


def _size(text: str) -> int:
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if not found or (found[3] and not found[2]):
        raise ValueError("expected a size such as 500MB or 10GiB")
    unit = 1024 ** " kmgt".index(found[2]) if found[3] else _SIZES[found[2]]
    return int(float(found[1]) * unit)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise ValueError("expected NAME=VALUE")
    return name.strip(), value


def _context_pair(text: str) -> tuple[str, str]:
    name, value = _pair(text)
    return name, value if "://" in value else str(_path(value))


_KEEP_HELP = "keep images, stage images and failed containers: all, failed or none (bare: all)"
_BASE = "tried first for base images whose name says no registry"

OPTIONS: tuple[Option, ...] = (
    Option(
        name="keep",
        help=_KEEP_HELP,
        convert=_choice(KEEP_CHOICES),
        default="none",
        metavar="WHAT",
        bare="all",
        field="keep",
    ),
    Option(
        name="retries",
        help="extra attempts of a RUN step that fails",
        convert=_count,
        default=0,
        metavar="N",
        field="retries",
    ),
    Option(
        name="retry-delay",
        help="seconds to wait before the first retry",
        convert=_seconds,
        default=3.0,
        metavar="S",
        field="retry_delay",
    ),
    Option(
        name="retry-backoff",
        help="factor by which the wait grows with each retry",
        convert=_factor,
        default=1.0,
        metavar="FACTOR",
        field="retry_backoff",
    ),
    Option(
        name="retry-max-delay",
        help="seconds that no wait before a retry exceeds",
        convert=_seconds,
        default=60.0,
        metavar="S",
        field="retry_max_delay",
    ),
    Option(
        name="retry-max-total",
        help="seconds that all waits of one build may sum up to; then it fails",
        convert=_seconds,
        default=600.0,
        metavar="S",
        field="retry_max_total",
    ),
    Option(
        name="timeout",
        help="seconds a build may take (0: no limit)",
        convert=_limit,
        metavar="S",
        field="timeout",
    ),
    Option(
        name="step-timeout",
        help="seconds one RUN step may take (0: no limit)",
        convert=_limit,
        metavar="S",
        field="step_timeout",
    ),
    Option(
        name="pull",
        help="when base images are pulled: missing, newer, always or never",
        convert=_choice(PULL_CHOICES),
        default="missing",
        metavar="MODE",
        field="pull",
    ),
    Option(
        name="registry",
        help=f"default registry, {_BASE}",
        convert=_text,
        metavar="HOST",
        field="registry",
    ),
    Option(
        name="authfile",
        help="file with the credentials of registries",
        convert=_path,
        metavar="FILE",
        field="authfile",
    ),
    Option(
        name="platform",
        help="platform to build for, os/arch[/variant]",
        convert=_text,
        metavar="PLATFORM",
        field="platform",
    ),
    Option(
        name="build-arg",
        help="value of a build argument; may be repeated",
        convert=_pair,
        metavar="NAME=VALUE",
        many=True,
        field="build_args",
    ),
    Option(
        name="build-context",
        help="named build context: path, docker-image://… or oci-layout://…; may be repeated",
        convert=_context_pair,
        metavar="NAME=VALUE",
        many=True,
        field="build_contexts",
    ),
    Option(
        name="image",
        help="use a ready image for the declaration of this name instead of building it; "
        "may be repeated",
        convert=_pair,
        metavar="NAME=REF",
        many=True,
        field="images",
    ),
    Option(
        name="cache-mount",
        help="path mounted as a cache in every RUN step; may be repeated",
        convert=_text,
        default=(),
        metavar="PATH",
        many=True,
        field="cache_mounts",
    ),
    Option(
        name="no-cache",
        help="run every step, even if its layer is cached",
        convert=_switch,
        default=False,
        metavar="",
        field="no_cache",
    ),
    Option(
        name="cache",
        help="what becomes of cached layers: keep (they serve later runs) or session (those of "
        "this run are removed with it)",
        convert=_choice(("keep", "session")),
        default="keep",
        metavar="HOW",
        field="cache",
    ),
    Option(
        name="cache-max-age",
        help="cached layers unused for longer are removed",
        convert=_span,
        default=14 * 86400.0,
        metavar="TIME",
        field="cache_max_age",
    ),
    Option(
        name="cache-max-size",
        help="the least recently used cached layers beyond this size are removed",
        convert=_size,
        default=10 * 1024**3,
        metavar="SIZE",
        field="cache_max_size",
    ),
    Option(
        name="jobs",
        help="stages and images built side by side (0: one for each core)",
        convert=_count,
        default=0,
        metavar="N",
        field="jobs",
    ),
    Option(
        name="prebuild",
        help="build the images of the selected tests in the background while other tests run: "
        "on or off",
        convert=_switch,
        default=True,
        metavar="on|off",
        bare="on",
    ),
    Option(
        name="missing",
        help="what becomes of tests that need an image when no usable buildah is found: "
        "fail or skip",
        convert=_choice(("fail", "skip")),
        default="fail",
        metavar="WHAT",
    ),
    Option(
        name="buildah",
        help="path of the buildah program",
        convert=_program,
        metavar="PATH",
        field="buildah",
    ),
    Option(
        name="isolation",
        help="how RUN steps are kept apart from the host: auto, oci, rootless or chroot",
        convert=_choice(ISOLATION_CHOICES),
        default="auto",
        metavar="TYPE",
        field="isolation",
    ),
    Option(
        name="root",
        help="directory of the container storage",
        convert=_path,
        metavar="DIR",
        field="root",
    ),
    Option(
        name="runroot",
        help="directory of the container storage's state",
        convert=_path,
        metavar="DIR",
        field="runroot",
    ),
    Option(
        name="progress",
        help="how builds are shown: auto, plain, live or quiet",
        convert=_choice(PROGRESS_CHOICES),
        default="auto",
        metavar="HOW",
    ),
    Option(
        name="log-dir",
        help="directory where the logs of builds are kept",
        convert=_path,
        metavar="DIR",
        field="log_dir",
    ),
    Option(
        name="list",
        help="show which tests need which images and stages; runs no test, needs no buildah",
        convert=_switch,
        default=False,
        metavar="",
    ),
)


def environment() -> Mapping[str, str]:
    """The environment of this process as it is now; nothing else in the package reads it."""
    return MappingProxyType(dict(os.environ))


def environment_source(variables: Mapping[str, str]) -> Source:
    """Options from ``ZLAYER_*``; an option that may be repeated takes words as a shell does."""

    def texts(option: Option) -> Sequence[str] | None:
        text = variables.get(option.variable)
        if text is None or (text == "" and not option.many):
            return None
        return _words(option, text) if option.many else [text]

    return Source(
        describe=lambda _: "environment",
        texts=texts,
        shown=lambda option: f"{option.variable} in the environment",
    )


def _words(option: Option, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise UsageError(
            f"{option.variable} in the environment: {problem}: {text!r}",
        ) from problem


def resolve(sources: Iterable[Source], *, variables: Mapping[str, str]) -> Settings:
    """The settings that ``sources`` give, the first one in the list first.

    Mappings (``--zlayer-build-arg``) are merged by name. ``variables`` is the environment that the
    settings hand on.

    Raises:
        UsageError: a value that cannot be, naming where it came from.
    """
    ordered = tuple(sources)
    found = {option.name: _setting(option, ordered) for option in OPTIONS}
    return Settings(MappingProxyType(found), variables)


def _setting(option: Option, sources: Sequence[Source]) -> Setting:
    given = [(one, texts) for one in sources if (texts := one.texts(option)) is not None]
    if option.many:
        return _gather(option, given)
    for source, texts in given:
        return Setting(_convert(option, source, texts[-1]), source.describe(option))
    return Setting(option.default, "default")


def _gather(option: Option, given: Sequence[tuple[Source, Sequence[str]]]) -> Setting:
    values = [_convert(option, source, text) for source, texts in reversed(given) for text in texts]
    origin = ", ".join(source.describe(option) for source, texts in given if texts) or "default"
    if option.convert in (_pair, _context_pair):
        return Setting(MappingProxyType(dict(values)), origin)
    return Setting(tuple(dict.fromkeys(values)), origin)


def _convert(option: Option, source: Source, text: str) -> Any:
    try:
        return option.convert(text)
    except ValueError as problem:
        raise UsageError(f"{source.shown(option)}: {problem}, not {text!r}") from problem
