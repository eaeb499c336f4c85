"""What a container-structure-test file says, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_PATTERNS: tuple[re.Pattern[str], ...] = ()


class StructureError(ZlayerError):
    """A structure file that cannot mean anything; the message begins with its path and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value that is expected: a text, or a pattern to be found."""

    key: str
    text: str = ""
    pattern: re.Pattern[str] | None = None

    def fits(self, found: str) -> bool:
        """Whether a value is as expected."""
        return found == self.text if self.pattern is None else bool(self.pattern.search(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTest:
    """A command, what goes before and after it, and how it is to end."""

    name: str
    line: int
    argv: tuple[str, ...]
    setup: tuple[tuple[str, ...], ...] = ()
    teardown: tuple[tuple[str, ...], ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    exit_code: int = 0
    expected_output: tuple[re.Pattern[str], ...] = _NO_PATTERNS
    excluded_output: tuple[re.Pattern[str], ...] = _NO_PATTERNS
    expected_error: tuple[re.Pattern[str], ...] = _NO_PATTERNS
    excluded_error: tuple[re.Pattern[str], ...] = _NO_PATTERNS


@dataclass(frozen=True, slots=True, kw_only=True)
class FileExistenceTest:
    """Whether a file is there, and what it is."""

    name: str
    line: int
    path: str
    should_exist: bool = True
    permissions: str = ""
    uid: int = -1
    gid: int = -1
    executable_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContentTest:
    """What stands in a file and what does not."""

    name: str
    line: int
    path: str
    expected: tuple[re.Pattern[str], ...] = _NO_PATTERNS
    excluded: tuple[re.Pattern[str], ...] = _NO_PATTERNS


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseTest:
    """Which files are looked through for licenses that are not allowed."""

    name: str
    line: int
    debian: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTest:
    """What the configuration of the image is to be; ``None``: whatever it is."""

    line: int
    env: tuple[Value, ...] = ()
    unbound_env: tuple[str, ...] = ()
    labels: tuple[Value, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    exposed_ports: tuple[str, ...] = ()
    unexposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    unmounted_volumes: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How the containers of command tests are run.

    Attributes:
        place: where the options stand: file, line and column.
        allocate_tty: whether the command has a terminal; setup and teardown have none.
        capabilities: full names, or ``ALL``: what is added to the usual ones.
    """

    place: str = ""
    user: str | None = None
    privileged: bool = False
    allocate_tty: bool = False
    capabilities: tuple[str, ...] = ()
    env_file: str | None = None
    env_names: tuple[str, ...] = ()
    bind_mounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFile:
    """A whole file."""

    path: str
    version: str
    global_env: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    commands: tuple[CommandTest, ...] = ()
    existence: tuple[FileExistenceTest, ...] = ()
    contents: tuple[FileContentTest, ...] = ()
    licenses: tuple[LicenseTest, ...] = ()
    metadata: MetadataTest | None = None
    options: RunOptions = field(default_factory=RunOptions)
