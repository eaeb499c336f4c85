"""The settings of a run: the value of each option with its origin."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.option_values import quoted, to_context_pair, to_pair, without_nul
from pytest_zlayer.inputs.options import OPTIONS, Option
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.options import BuildOptions


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

    def shown(self) -> Iterator[tuple[str, str]]:
        """The settings that somebody made and where; values of build arguments are hidden."""
        for name, one in self.changed().items():
            value = one.value
            # Only the names of build arguments: people do put tokens into them.
            many = hasattr(value, "keys") or isinstance(value, tuple)
            text = "+".join(map(str, value)) if many else str(value)
            yield name, f"{text} ({one.origin})"

    def build_options(self, **more: Any) -> BuildOptions:
        """What the building session is given; ``more`` sets fields that are no options."""
        with LOADING:
            from pytest_zlayer.builder.model.options import BuildOptions

        known = {one.field: self[one.name] for one in OPTIONS if one.field is not None}
        return BuildOptions(**{**known, "environment": self.environment, **more})


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
    if option.convert in (to_pair, to_context_pair):
        return Setting(MappingProxyType(dict(values)), origin)
    return Setting(tuple(dict.fromkeys(values)), origin)


def _convert(option: Option, source: Source, text: str) -> Any:
    try:
        return option.convert(without_nul(text))
    except ValueError as problem:
        message = f"{source.shown(option)}: {problem}, not {quoted(text)}"
        raise UsageError(message) from problem
