"""What a test declares: one image to be built, or a ready one to be used."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_zlayer.argument_values import (
    as_bool,
    as_count,
    as_network,
    as_path,
    as_paths,
    as_seconds,
    as_text,
    as_texts,
    as_values,
    mapping,
    path_text,
    wrong,
)
from pytest_zlayer.choices import IMAGE_FORMATS, PULL_MODES, ImageFormat, NetworkMode, PullMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.credentials import HIDDEN, redacted
from pytest_zlayer.dockerfile.values.references import parse_reference
from pytest_zlayer.dockerfile.values.remote_sources import is_remote
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

# No number is beyond what 64 bits hold: of 18 digits, and of 9 before the unit of a size.
_SIZE = late_pattern(r"[0-9]{1,18}b?|[0-9]{1,9}[kmg]b?", re.IGNORECASE)
_ULIMIT = late_pattern(r"[a-z]+=(?:-1|[0-9]{1,18})(?::(?:-1|[0-9]{1,18}))?")
_HOST = late_pattern(r"[A-Za-z0-9_.-]+[:=](?P<address>[0-9.]+|\[?[0-9A-Fa-f:]+\]?)")
_ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
_LONGEST = 60  # characters of a wrong value that are shown
_RUN_LIMITS = ("shm_size", "memory", "ulimits", "add_hosts")
# What has a meaning for an image that is not built.
_OF_READY = ("ref", "name", "pull", "platform", "timeout", "cell")


def _check_tag(tag: str) -> None:
    """Refuse what no image can be called."""
    try:
        reference = parse_reference(tag)
    except ValueError as problem:
        raise UsageError(f"tags: {tag!r} is not a name for an image: {problem}") from None
    if reference.digest:
        raise UsageError(f"tags: {tag!r} has a digest, which an image gets by itself")
    if reference.domain != reference.domain.lower() and "." not in reference.domain:
        raise UsageError(f"tags: {tag!r} is not a name for an image: it must be in lower case")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """One image as it is declared; every field has the meaning of the ``image`` marker's argument.

    Attributes:
        context: directory or tar archive of the build context; ``None``: no context (inline text).
            Relative paths are resolved where it is declared (marker: the test file's folder).
        context_url: git repository or URL of the build context, fetched once a session, as
            ``docker build`` takes it (``https://host/repository.git#ref:subdir``). Given as
            ``context`` it comes here.
        name: the name that tells several images of one test apart.
        dockerfile: path of the Dockerfile relative to the context (default: ``Dockerfile``, then
            ``Containerfile``).
        text: Dockerfile source given inline; excludes ``dockerfile``.
        target: stage to build; ``None``: the last one.
        build_args: values for ARG.
        base: the image that ``FROM base`` is: a declaration, or the name of another image that the
            same test declares. A ``text`` without FROM begins with it.
        build_contexts: named contexts, name to a declaration, ``path``, ``docker-image://ref`` or
            ``oci-layout://path``.
        platform: ``os/arch[/variant]``; ``None``: the configured or host platform.
        tags: references the image gets; the first one is its name.
        labels: added to the image configuration; they win over LABEL.
        secrets: secret id to file path, or to ``env:NAME``.
        ssh: ssh id to agent socket (``"default"`` takes ``SSH_AUTH_SOCK``).
        cache_mounts: targets mounted as caches in every RUN that does not mount them itself.
        pull: when base images are pulled; ``None``: the configured mode.
        network: network of RUN steps: ``default``, ``none`` or ``host``.
        retries: extra attempts of a failed RUN; ``None``: the configured number.
        timeout: seconds a build may take; ``None``: the configured limit.
        no_cache: do not use cached layers; ``None``: as configured.
        format: ``oci`` or ``docker``; ``None``: ``oci`` unless the image holds what only the docker
            format can (HEALTHCHECK, SHELL, ONBUILD).
        squash: one layer for everything this build adds.
        layers: layering policy; ``None``: as configured (``each``).
        shm_size, memory: size of ``/dev/shm`` and limit of memory of RUN steps (``64m``).
        ulimits: limits of RUN steps, ``nofile=1024:2048``.
        add_hosts: host names of RUN steps, ``name:address``.
        cell: which cell of a ``matrix`` it is, for messages only: ``PY-3.12``.
        ref: a ready image; nothing is built, so that only ``name``, ``pull``, ``platform`` and
            ``timeout`` can be given with it.
    """

    context: Path | None = field(default=None, kw_only=False)
    context_url: str | None = None
    name: str | None = None
    dockerfile: str | None = None
    text: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    build_contexts: Mapping[str, str | ImageSpec] = field(default_factory=dict)
    base: ImageSpec | str | None = None
    platform: str | None = None
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    ssh: Mapping[str, str] = field(default_factory=dict)
    cache_mounts: tuple[str, ...] = ()
    pull: PullMode | None = None
    network: NetworkMode | None = None
    retries: int | None = None
    timeout: float | None = None
    no_cache: bool | None = None
    format: ImageFormat | None = None
    squash: bool = False
    layers: str | None = None
    ref: str | None = None
    shm_size: str | None = None
    ulimits: tuple[str, ...] = ()
    add_hosts: tuple[str, ...] = ()
    memory: str | None = None
    cell: str | None = None

    def __post_init__(self) -> None:
        self._convert()
        for tag in self.tags:
            _check_tag(tag)
        _check_limits(self)
        if self.ref is not None and (unused := self._given() - {*_OF_READY}):
            raise UsageError(f"{min(unused)}= cannot be combined with ref=: nothing is built")
        if self.text is not None and self.dockerfile is not None:
            raise UsageError("an image takes either text or dockerfile, not both")
        if self.pull is not None and self.pull not in PULL_MODES:
            raise UsageError(f"pull must be one of {', '.join(PULL_MODES)}, not {self.pull!r}")
        if self.format is not None and self.format not in IMAGE_FORMATS:
            raise UsageError(f"format must be {' or '.join(IMAGE_FORMATS)}, not {self.format!r}")
        if self.layers not in (None, "each"):
            raise UsageError(f"layers must be each, not {self.layers!r}")
        if self.retries is not None and self.retries < 0:
            raise UsageError(f"retries must be 0 or more, not {self.retries}")
        if self.timeout is not None and self.timeout <= 0:
            raise UsageError(f"timeout must be more than 0 seconds, not {self.timeout}")

    def _convert(self) -> None:
        """Make of what people write what the fields hold, and refuse what has no meaning."""
        values = {name: getattr(self, name) for name in _CONVERSIONS}
        found = {
            name: _CONVERSIONS[name](name, one) for name, one in values.items() if one is not None
        }
        given: object = self.context
        if isinstance(given, str) and is_remote_context("build context", given):
            found.update(context=None, context_url=given)
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """What was given; of a URL and of build arguments only what anybody may see."""
        names = self._given()
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if name in names}
        if self.build_args:
            given["build_args"] = dict.fromkeys(self.build_args, HIDDEN)
        if self.context_url is not None:
            given["context_url"] = self.context_name
        return f"ImageSpec({', '.join(f'{name}={one!r}' for name, one in given.items())})"

    def _given(self) -> set[str]:
        """The fields that say something."""
        fields = self.__dataclass_fields__.items()
        return {name for name, one in fields if getattr(self, name) not in (one.default, {})}

    @property
    def context_name(self) -> str:
        """The build context as messages call it."""
        return str(self.context) if self.context_url is None else redacted(self.context_url)

    def key(self) -> tuple[Any, ...]:
        """A hashable value that is equal for equal declarations, whatever messages call them."""
        values: list[Any] = []
        for attribute in self.__dataclass_fields__:
            value = getattr(self, attribute)
            if attribute in ("name", "cell"):
                continue
            if isinstance(value, Mapping):
                value = tuple((name, _plain(value[name])) for name in sorted(value))
            values.append(_plain(value))
        return tuple(values)

    def run_limits(self) -> dict[str, Any]:
        """What the containers of RUN steps may take and know, as far as it is declared."""
        given = {name: getattr(self, name) for name in _RUN_LIMITS}
        return {name: value for name, value in given.items() if value}

    @property
    def needs(self) -> tuple[ImageSpec, ...]:
        """The images that have to be there before this one can be built."""
        named = (self.base, *self.build_contexts.values())
        return tuple(one for one in named if isinstance(one, ImageSpec))


def is_remote_context(name: str, text: str) -> bool:
    """Whether a context is a git repository or a URL; ``name`` is how messages call the argument.

    Raises:
        UsageError: an address that nothing can be fetched from.
    """
    try:
        return is_remote(text)
    except ValueError as problem:
        raise UsageError(f"{name} {redacted(text)}: {problem}") from None


def _check_limits(spec: ImageSpec) -> None:
    for name, value in (("shm_size", spec.shm_size), ("memory", spec.memory)):
        if value is not None and not _SIZE.fullmatch(value):
            raise UsageError(f"{name} must be a size such as 64m or 1g, not {_short(value)}")
    for value in spec.ulimits:
        _check_ulimit(value)
    for value in spec.add_hosts:
        found = _HOST.fullmatch(value)
        if found is None or not _is_address(found["address"]):
            raise UsageError(f"add_hosts: expected NAME:ADDRESS, not {_short(value)}")


def _check_ulimit(value: str) -> None:
    if not _ULIMIT.fullmatch(value):
        raise UsageError(f"ulimits: expected NAME=SOFT[:HARD], not {_short(value)}")
    name, _, numbers = value.partition("=")
    if name not in _ULIMITS:
        raise UsageError(
            f"ulimits: unknown limit {name!r}", hint=f"known are {', '.join(_ULIMITS)}"
        )
    soft, _, hard = numbers.partition(":")
    if hard not in ("", "-1") and not 0 <= int(soft) <= int(hard):
        raise UsageError(f"ulimits: the soft limit is above the hard one: {value!r}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _short(value: str) -> str:
    return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")


def _plain(value: Any) -> Any:
    return value.key() if isinstance(value, ImageSpec) else value


def _as_base(name: str, value: Any) -> ImageSpec | str:
    if isinstance(value, ImageSpec) or (isinstance(value, str) and value):
        return value
    raise wrong(name, "an ImageSpec or the name of an image", value)


def _as_contexts(name: str, value: Any) -> dict[str, ImageSpec | str]:
    return {
        key: one if isinstance(one, ImageSpec) else path_text(f"{name}[{key!r}]", one)
        for key, one in mapping(name, value).items()
    }


_CONVERSIONS: Mapping[str, Callable[[str, Any], Any]] = {
    "context": as_path,
    "name": as_text,
    "dockerfile": path_text,
    "text": as_text,
    "target": as_text,
    "build_args": as_values,
    "base": _as_base,
    "build_contexts": _as_contexts,
    "platform": as_text,
    "tags": as_texts,
    "labels": as_values,
    "secrets": as_paths,
    "ssh": as_paths,
    "cache_mounts": as_texts,
    "pull": as_text,
    "network": as_network,
    "retries": as_count,
    "timeout": as_seconds,
    "no_cache": as_bool,
    "format": as_text,
    "squash": as_bool,
    "layers": as_text,
    "ref": as_text,
    "shm_size": as_text,
    "ulimits": as_texts,
    "add_hosts": as_texts,
    "memory": as_text,
}
# What a declaration takes, besides what only a marker knows.
ARGUMENTS = frozenset(_CONVERSIONS)
