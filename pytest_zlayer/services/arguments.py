"""The arguments of ``Image.serve``, checked: they become a request."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.choices import ENGINE_CHOICES
from pytest_zlayer.dockerfile.values.scalars import number_of, parse_size
from pytest_zlayer.dockerfile.values.shells import DEFAULT_SHELL
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.request import Mount, Port, ServeRequest

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.image_like import ImageLike

NETWORKS = ("host", "none")
_NAME = late_pattern(r"[a-z0-9](?:[a-z0-9_.-]{0,40}[a-z0-9])?")
# The functions that make conditions, and those among them that cannot do without arguments.
_MAKERS = "pytest_zlayer.services.ready"
_NEED_ARGUMENTS = ("all", "command", "log")
# Where a service listens whose command has {port} and that has no port of its own.
_ANY_PORT = 8080


def make_request(image: ImageLike, cmd: Any, given: Mapping[str, Any]) -> ServeRequest:
    """The request that these arguments of ``Image.serve`` make.

    Raises:
        UsageError: arguments that cannot mean anything.
    """
    values = {name: one for name, one in given.items() if one is not None}
    ports = _ports(image, values.pop("port", None), values.pop("ports", ()))
    argv = _argv(image, cmd)
    converted = {name: _CONVERT[name](name, value) for name, value in values.items()}
    _check_ports(given)
    name = converted.pop("name", None) or _stem(image.label)
    request = ServeRequest(argv=argv, name=name, ports=ports, **converted)
    if request.mentions_port() and not ports:
        return ServeRequest(argv=argv, name=name, ports=(Port(_ANY_PORT),), **converted)
    return request


def check_values(given: Mapping[str, Any]) -> None:
    """Look at arguments of ``Image.serve`` before there is an image, or a file of a test's own.

    Raises:
        UsageError: values that cannot mean anything.
    """
    for name, value in given.items():
        if value is not None and name in _CONVERT and name not in _PATHS:
            _CONVERT[name](name, value)
    if given.get("cmd") is not None:
        check_words(given["cmd"])
    _check_ports(given)
    check_engine(given.get("engine", "auto"))
    check_waiting(given.get("ready"), given.get("timeout", 0))


def check_engine(choice: Any) -> None:
    """Raises ``UsageError`` when there is no such engine."""
    if choice not in ENGINE_CHOICES:
        raise UsageError(
            f"there is no service engine {choice!r}",
            hint=f"there are {', '.join(ENGINE_CHOICES)}",
        )


def check_waiting(ready: Any, timeout: Any) -> None:
    """Look at what is to be waited for, and for how long.

    Raises:
        UsageError: it is no condition, or no number of seconds.
    """
    if ready is not None:
        check_condition(ready, "ready")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise UsageError(f"timeout must be a number of seconds, not {timeout!r}")


def check_condition(value: Any, what: str) -> None:
    """Look at something that is to be waited for.

    Raises:
        UsageError: it is no condition, and no function of the service.
    """
    __tracebackhide__ = True
    advice = "such as ready.port(), ready.log(…), or a function of the service"
    if not callable(value):
        raise UsageError(f"{what} must be a condition, not {value!r}", hint=advice)
    if getattr(value, "__module__", None) == _MAKERS:
        name = value.__name__
        raise UsageError(
            f"{what} must be a condition, and ready.{name} only makes one",
            hint=f"call it: ready.{name}({'…' if name in _NEED_ARGUMENTS else ''})",
        )
    try:
        inspect.signature(value).bind(None)
    except TypeError:
        raise UsageError(
            f"{what} must be a function of one argument, the service", hint=advice
        ) from None
    except ValueError:  # built in, without a signature
        return


def argv_of(image: ImageLike, cmd: Any) -> tuple[str, ...]:
    """A command as words: a string goes to the image's shell.

    Raises:
        UsageError: it is no command.
    """
    if isinstance(cmd, str):
        return (*(image.config.shell or DEFAULT_SHELL), *check_words(cmd))
    return check_words(cmd)


def check_words(cmd: Any) -> tuple[str, ...]:
    """A command, be it one text or several words, as words.

    Raises:
        UsageError: it is no command.
    """
    __tracebackhide__ = True
    if not isinstance(cmd, Sequence) or isinstance(cmd, bytes):
        raise UsageError(f"a command must be a text or a list of words, not {cmd!r}")
    words = (cmd,) if isinstance(cmd, str) else tuple(cmd)
    if not words:
        raise UsageError("there is no command to run", hint='such as ["ls", "/"]')
    for word in words:
        if not isinstance(word, (str, int, os.PathLike)):
            raise UsageError(f"a word of a command must be a text, not {word!r}")
        if "\0" in str(word):
            raise UsageError("a command cannot contain a NUL character")
    return tuple(str(word) for word in words)


def _argv(image: ImageLike, cmd: Any) -> tuple[str, ...]:
    if cmd is not None:
        return argv_of(image, cmd)
    argv = (*(image.config.entrypoint or ()), *(image.config.cmd or ()))
    if not argv:
        raise UsageError(f"{image.label} has neither ENTRYPOINT nor CMD: pass a command")
    return argv


def _ports(image: ImageLike, port: Any, more: Any) -> tuple[Port, ...]:
    named = [] if port is None else [_port(port)]
    named += _many_ports(more)
    if port is None:
        exposed = image.config.exposed_ports
        named += _many_ports([one for one in exposed if not one.endswith("/sctp")])
    return tuple(dict.fromkeys(named))


def _check_ports(given: Mapping[str, Any]) -> None:
    port, more = given.get("port"), given.get("ports") or ()
    named = [*([] if port is None else [_port(port)]), *_many_ports(more)]
    if named and given.get("network") == "none":
        raise UsageError(
            f'port {named[0]} cannot be reached with network="none"',
            hint="leave one of the two out",
        )


def _many_ports(value: Any) -> list[Port]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise UsageError(f"ports must be a list of ports, not {value!r}")
    return [_port(one) for one in value]


def _port(value: Any) -> Port:
    text = str(value)
    digits, _, kind = text.partition("/")
    number = number_of(digits)
    if isinstance(value, bool) or number is None or not 0 < number < 65536:
        raise UsageError(f"{value!r} is no port", hint='write 8080 or "53/udp"')
    if kind not in ("", "tcp", "udp"):
        raise UsageError(f"port {text}: expected tcp or udp, not {kind!r}")
    return Port(number, kind or "tcp")


def _stem(label: str) -> str:
    short = re.sub(r"[^a-z0-9]+", "-", label.lower().rpartition("/")[2]).strip("-")
    return short[:40].strip("-") or "service"


def _name(argument: str, value: Any) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise UsageError(
            f"{argument} of a service cannot be {value!r}",
            hint="lower-case letters, digits and . _ - are allowed, at most 42",
        )
    return value


def _text(argument: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{argument} must be a text, not {value!r}")
    return value


def _user(argument: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise UsageError(f"{argument} must be a user, not {value!r}")
    return str(value)


def _mapping(argument: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{argument} must be a mapping, not {value!r}")
    return value


def _values(argument: str, value: Any) -> Mapping[str, str]:
    given = _mapping(argument, value)
    if (without := next((name for name, one in given.items() if one is None), None)) is not None:
        raise UsageError(f"{argument}: {without!r} has no value")
    found = {str(name): str(one) for name, one in given.items()}
    for name, one in found.items():
        if not name or "=" in name or "\0" in name + one:
            raise UsageError(f"{argument}: {name!r} cannot be a name")
    return found


def _mounts(argument: str, value: Any) -> tuple[Mount, ...]:
    return tuple(_mount(argument, *pair) for pair in _mapping(argument, value).items())


def _mount(argument: str, source: Any, target: Any) -> Mount:
    path, _, option = str(target).partition(":")
    if option not in ("", "ro", "rw"):
        raise UsageError(f"{argument}: {target!r} ends with neither :ro nor :rw")
    found = _source(argument, source)
    if ":" in str(found):
        raise UsageError(f"{argument}: a path with a colon cannot be mounted: {found}")
    return Mount(found, _absolute(argument, path), option == "ro")


def _source(argument: str, value: Any) -> Path:
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{argument}: {value!r} is not a path of this machine")
    found = Path(os.path.abspath(value))
    if not found.exists():
        raise UsageError(f"{argument}: {found} is not there")
    return found


def _absolute(argument: str, value: Any) -> str:
    path = str(value)
    if not path.startswith("/") or any(sign in path for sign in ":,"):
        raise UsageError(f"{argument}: {path!r} is not an absolute path in the container")
    return path


def _tmpfs(argument: str, value: Any) -> Mapping[str, int]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise UsageError(f"{argument} must be a list of paths, or a mapping of paths to sizes")
    pairs = value.items() if isinstance(value, Mapping) else [(path, 0) for path in value]
    return {_absolute(argument, path): _size(argument, size) for path, size in pairs}


def _size(argument: str, value: Any) -> int:
    try:
        return parse_size(str(value))
    except ValueError as problem:
        raise UsageError(f"{argument}: {problem}", hint="write 64m or a number of bytes") from None


def _copies(argument: str, value: Any) -> tuple[tuple[Path, str], ...]:
    return tuple(
        (_source(argument, source), _absolute(argument, target))
        for source, target in _mapping(argument, value).items()
    )


def _network(argument: str, value: Any) -> Network | str:
    if isinstance(value, Network) or value in NETWORKS:
        return value  # type: ignore[no-any-return]
    raise UsageError(
        f"{argument} cannot be {value!r}",
        hint='give "host", "none" or what the fixture zlayer_network gives',
    )


def _bool(argument: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{argument} must be True or False, not {value!r}")
    return value


def _texts(argument: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"{argument} must be a list of texts, not {value!r}")
    return tuple(_text(argument, one) for one in value)


def _ulimits(argument: str, value: Any) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        found = {str(name): str(limit) for name, limit in value.items()}
    else:
        pairs = [str(one).partition("=") for one in _texts(argument, value)]
        found = {name: limit for name, _, limit in pairs}
    for name, limit in found.items():
        if not re.fullmatch(r"-?\d+(?::-?\d+)?", limit) or not name:
            raise UsageError(f"{argument}: {name}={limit}", hint="write nofile=1024:4096")
    return found


# What may be made by the test that names it.
_PATHS = ("mounts", "copy_in")
_CONVERT: Mapping[str, Callable[[str, Any], Any]] = {
    "name": _name,
    "env": _values,
    "user": _user,
    "workdir": _absolute,
    "mounts": _mounts,
    "tmpfs": _tmpfs,
    "copy_in": _copies,
    "network": _network,
    "read_only": _bool,
    "shm_size": _size,
    "ulimits": _ulimits,
    "memory": _size,
    "privileged": _bool,
    "cap_add": _texts,
    "cap_drop": _texts,
    "devices": _texts,
    "hostname": _text,
    "labels": _values,
}
