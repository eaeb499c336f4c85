"""skopeo: copies images between registries and layouts, reads what registries have.

It carries layers where buildah would carry whole images, and asks without pulling.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pytest_zlayer.buildah.commands.logins import explain_login
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.meaning import classify
from pytest_zlayer.buildah.process.command import ByteSink, Completed
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

_REGISTRIES_CONF = ("CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH")
# How it ends: in a log line where it writes to no terminal.
_FATAL = late_pattern(r'level=fatal msg="((?:[^"\\]|\\.)*)"|^FATA\[\d+\] (.*)')
# What it logs before it waits as a registry asks: up to five times, up to a minute each.
_PAUSE = late_pattern(r'level=debug msg="Too many requests to .*: sleeping for ([0-9.]+) seconds')
_DEBUG = " level=debug "

_QUOTE, _PLAIN = '\\"', '"'


class RunProcess(Protocol):
    """How a program is run beside buildah: ``Engine.process``."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: LineSink | None = None,
        stdout: ByteSink | None = None,
    ) -> Completed:
        """Run the program, whatever its exit status."""


class SkopeoMissing(Exception):
    """skopeo is not installed."""


class RegistryBusy(EngineError):
    """A registry asks to wait, which is left to the caller.

    Attributes:
        seconds: how long skopeo would have waited before the next attempt.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(Failure("transient", f"the registry asks to wait {seconds:g} s"))
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Skopeo:
    """The installed skopeo. Its methods raise ``RegistryBusy`` where a registry asks to wait.

    Attributes:
        binary: its path.
        registries_conf: the file it is to read, which it does not look for itself.
        authfile: logins, or ``None``: those of the user.
        run: runs it.
    """

    binary: str
    run: RunProcess
    registries_conf: str | None = None
    authfile: Path | None = None

    def tags(self, repository: str, *, timeout: float) -> tuple[str, ...]:
        """All tags of a repository."""
        words = ["list-tags", f"docker://{repository}"]
        return tuple(map(str, self._json(words, timeout=timeout)["Tags"] or ()))

    def manifest(self, image: str, *, timeout: float) -> bytes:
        """The manifest of ``docker://…`` or ``oci:…``, or its list, as it is stored."""
        return self._said(["inspect", "--raw", image], timeout=timeout)

    def config(self, image: str, *, timeout: float, platform: Sequence[str] = ()) -> bytes:
        """The configuration of an image as it is stored: its digest is the id of the image.

        Args:
            image: with its transport.
            timeout: seconds.
            platform: system, architecture and variant to choose from a list.
        """
        flags = ("--override-os", "--override-arch", "--override-variant")
        before = [word for pair in zip(flags, platform, strict=False) if pair[1] for word in pair]
        return self._said([*before, "inspect", "--raw", "--config", image], timeout=timeout)

    def copy(self, source: str, destination: str, *, timeout: float | None) -> None:
        """Copy an image, with the digests it has."""
        self._said(["copy", "--quiet", "--preserve-digests", source, destination], timeout=timeout)

    def delete(self, image: str, *, timeout: float) -> None:
        """Remove a tag of a registry."""
        self._said(["delete", image], timeout=timeout)

    def _json(self, words: Sequence[str], *, timeout: float) -> Mapping[str, Any]:
        said = self._said(words, timeout=timeout)
        try:
            found = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise self._unreadable(words) from error
        if not isinstance(found, dict):
            raise self._unreadable(words)
        return found

    def _unreadable(self, words: Sequence[str]) -> EngineError:
        return EngineError(Failure("permanent", f"skopeo {words[0]} gave no readable answer"))

    def _said(self, words: Sequence[str], *, timeout: float | None) -> bytes:
        said = io.BytesIO()
        argv = [self.binary, "--debug", *self._options(), *words]
        env = {"REGISTRY_AUTH_FILE": str(self.authfile)} if self.authfile else {}
        done = self.run(argv, env=env, timeout=timeout, on_line=_refuse_to_wait, stdout=said)
        if done.timed_out:
            raise EngineError(Failure("timeout", f"no answer after {timeout:g} s"))
        if done.exit_code != 0:
            stderr = [line for line in done.stderr_tail if _DEBUG not in line]
            failure = classify(words, done.exit_code, _messages(stderr))
            if self.authfile:
                failure = explain_login(failure, words, env)
            raise EngineError(failure, command=argv, exit_code=done.exit_code, stderr=stderr)
        return said.getvalue()

    def _options(self) -> list[str]:
        conf = self.registries_conf
        return ["--registries-conf", conf] if conf else []


def find_skopeo(
    run: RunProcess,
    environment: Mapping[str, str],
    *,
    authfile: Path | None,
    find: Callable[[str, str | None], str | None] = lambda name, path: shutil.which(
        name, path=path
    ),
) -> Skopeo:
    """The skopeo on the search path.

    Raises:
        SkopeoMissing: there is none.
    """
    binary = find("skopeo", environment.get("PATH"))
    if binary is None:
        raise SkopeoMissing
    conf = next((environment[name] for name in _REGISTRIES_CONF if environment.get(name)), None)
    return Skopeo(binary, run, conf, authfile)


def _refuse_to_wait(_: str, line: str) -> None:
    if found := _PAUSE.search(line):
        raise RegistryBusy(float(found[1]))


def _messages(stderr: Sequence[str]) -> list[str]:
    """What it says of its failure, as buildah would say it."""
    found = [match for line in stderr if (match := _FATAL.search(line))]
    return [f"Error: {(one[1] or one[2]).replace(_QUOTE, _PLAIN)}" for one in found] or list(stderr)
