"""The command lines of buildah, made by one function for each command.

What a user wrote (names, references, paths) is checked here, before it can be taken for an option
or for a transport that writes to the host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_zlayer.buildah.run_request import Tmpfs, Volume
from pytest_zlayer.choices import NetworkMode, PullMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

_HEX = late_pattern(r"\A[0-9a-f]{64}\Z")
_REFERENCE = late_pattern(
    r"\A(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
_CONTAINER = late_pattern(r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_TRANSPORTS = ("docker://", "oci:", "oci-archive:", "docker-archive:", "dir:", "docker-daemon:")
_PASSWORD = late_pattern(r"(?<=://)[^/@\s]*(?=@)")


def is_image_id(text: str) -> bool:
    """Whether this is the full id of an image or container: 64 hexadecimal digits."""
    return _HEX.match(text) is not None


def image(name: str) -> str:
    """An image name or id, checked: it can neither be an option nor a transport.

    Raises:
        UsageError: it is no image name.
    """
    bare = name.removeprefix("sha256:")
    if is_image_id(bare):
        return bare
    if _REFERENCE.match(name) is None:
        raise UsageError(f"{name!r} is not an image name")
    return name


def container(name: str) -> str:
    """A container name or id, checked.

    Raises:
        UsageError: it is no container name.
    """
    if _CONTAINER.match(name) is None:
        raise UsageError(f"{name!r} is not a container name")
    return name


def source(name: str) -> str:
    """An image to pull: a name, or one with a transport in front.

    Raises:
        UsageError: it is neither.
    """
    return name if name.startswith(_TRANSPORTS) else image(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the commands in a container may take, in the words of ``docker build``."""

    shm_size: str | None = None
    ulimits: tuple[str, ...] = ()
    add_hosts: tuple[str, ...] = ()
    memory: str | None = None

    def words(self) -> list[str]:
        """Options of ``buildah from``."""
        words = []
        for flag, size in (("--shm-size", self.shm_size), ("--memory", self.memory)):
            if size is not None:
                words += [flag, _with_unit(size)]
        for limit in self.ulimits:
            words += ["--ulimit", limit]
        for host in self.add_hosts:
            name, _, address = host.replace("=", ":", 1).partition(":")
            words += ["--add-host", f"{name}:{address.strip('[]')}"]
        return words


def _with_unit(size: str) -> str:
    """A size as buildah wants it: one letter after the number (``64m``, never ``64MB``)."""
    number, unit = re.fullmatch(r"([0-9]+)([a-z]*)", size.lower()).groups()  # type: ignore[union-attr]  # checked where it was declared
    return f"{number}{unit[:1] or 'b'}"


def platform_options(platform: str | None) -> list[str]:
    """``--platform`` when one is asked for."""
    return [] if platform is None else ["--platform", platform]


def pull(reference: str, *, policy: PullMode, platform: str | None) -> list[str]:
    """``buildah pull``."""
    # buildah's own "true" of older versions is what newer ones call "newer"; 1.28 knows neither
    # for "pull", whose "always" downloads nothing that is there already.
    return [
        "pull",
        "--policy",
        policy,
        *platform_options(platform),
        source(reference),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How ``buildah run`` runs a command.

    Attributes:
        env: variables set for this command only.
        user: user, ``uid``, ``user:group``…; empty: the image's.
        workdir: directory; empty: the image's.
        volumes: host paths it sees.
        tmpfs: file systems in memory it sees.
        hostname: what it sees as the name of the machine; empty: the container's id.
        terminal: whether it gets a terminal.
        cap_add: full names of capabilities on top of the usual ones.
        network: ``default`` and ``host`` are the host's, ``none`` is none.
        isolation: ``oci``, ``rootless`` or ``chroot``.
        runtime: OCI runtime for the first two.
        runtime_root: where that runtime keeps its state.
        add_host_network: whether ``--network`` may be used at all (chroot refuses all but host).
    """

    env: Mapping[str, str]
    user: str
    workdir: str
    volumes: Sequence[Volume]
    network: NetworkMode
    isolation: str
    runtime: str | None
    runtime_root: Path | None
    tmpfs: Sequence[Tmpfs] = ()
    hostname: str = ""
    terminal: bool = False
    cap_add: Sequence[str] = ()


def run(name: str, argv: Sequence[str], options: RunOptions) -> list[str]:
    """``buildah run``.

    The default network is the host's: it works with every isolation, with or without network
    plugins, and leaves no bridge, address or firewall rule behind.
    """
    line = ["run", "--isolation", options.isolation]
    if options.runtime is not None and options.isolation != "chroot":
        line += ["--runtime", options.runtime]
        if options.runtime_root is not None:
            line += ["--runtime-flag", f"root={options.runtime_root}"]
    if options.isolation == "chroot" or options.network != "none":
        line += ["--network", "host"]
    else:
        line += ["--network", "none"]
    if options.terminal:
        line += ["--tty"]
    for capability in options.cap_add:
        line += ["--cap-add", capability]
    for key, value in options.env.items():
        line += ["--env", f"{key}={value}"]
    if options.user:
        line += ["--user", options.user]
    if options.workdir:
        line += ["--workingdir", options.workdir]
    if options.hostname:
        line += ["--hostname", options.hostname]
    if any(volume.target == "/etc/hosts" for volume in options.volumes):
        # Of that file and its own buildah 1.28 mounts now one, now the other on top.
        line += ["--no-hosts"]
    for volume in options.volumes:
        line += ["--volume", volume.argument()]
    for memory in options.tmpfs:
        line += ["--mount", memory.argument()]
    return [*line, "--", container(name), *argv]


def masked(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line fit for messages: passwords in URLs are left out."""
    return tuple(_PASSWORD.sub("***", word) for word in argv)
