"""Structure tests on an image: what is wrong, in the words of the assertions."""

from __future__ import annotations

import posixpath
import re
import stat as mode_bits
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.checks import files, words
from pytest_zlayer.checks.structure.env_file import read_env_file
from pytest_zlayer.checks.structure.model import (
    CommandTest,
    FileContentTest,
    FileExistenceTest,
    LicenseTest,
    MetadataTest,
    RunOptions,
    StructureError,
    StructureFile,
    Value,
)
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import Ended, FilePath, HasConfig, HasFiles

    class Container(HasFiles, Protocol):
        """Runs commands one after the other on the same files."""

        def run(
            self,
            cmd: Sequence[str],
            *,
            env: Mapping[str, str],
            user: str | None,
            mounts: Mapping[str, str],
            privileged: bool,
            cap_add: Sequence[str],
            tty: bool,
            check: bool,
        ) -> Ended: ...

    class Image(HasFiles, HasConfig, Protocol):
        """What structure tests are about."""

        def container(self) -> AbstractContextManager[Any]: ...


_DOCUMENTS = "/usr/share/doc"
# As the original tool has it: licenses that are not allowed, and who may have them nevertheless.
_FORBIDDEN = ("AGPL", "WTFPL")
_ALLOWED_PACKAGES = ("libgnutls30",)
_NOT_STARTED = (126, 127)
# Go's letters for what Unix modes have besides permissions (io/fs.FileMode), in its order.
_GO_TYPES = {"directory": "d", "symlink": "L", "block": "D", "fifo": "p", "socket": "S"}
_GO_BITS = ((mode_bits.S_ISUID, "u"), (mode_bits.S_ISGID, "g"), (mode_bits.S_ISVTX, "t"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a structure file takes from outside: the environment, and where paths begin."""

    environment: Mapping[str, str]
    folder: Path


def expand(text: str, env: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced, as Go's ``os.Expand`` does."""

    def value(found: re.Match[str]) -> str:
        return env.get(found[1] or found[2] or found[3] or "", "")

    special = r"[*#$@!?\-0-9]"
    return re.sub(
        rf"\$(?:\{{([^}}]*)\}}|({special})|([A-Za-z_]\w*)|\{{)", value, text, flags=re.ASCII
    )


def command_problems(
    image: Image, test: CommandTest, file: StructureFile, around: Surroundings
) -> list[str]:
    """Setup, command and teardown in one container; what is wrong with how the command ended."""
    variables = _Variables(image.config.env, file, test, around)
    run = _Runner(file.options, around)
    with image.container() as container:
        for words_of_setup in test.setup:
            ended = run(container, words_of_setup, variables.own)
            if ended.exit_code in _NOT_STARTED and not ended.stdout:
                head = f"setup {' '.join(words_of_setup)!r} could not be run"
                return [head, *words.shown_text(ended.stderr)]
        argv = [expand(one, variables.known) for one in test.argv]
        ended = run(container, argv, variables.own, tty=file.options.allocate_tty)
        for words_of_teardown in test.teardown:
            run(container, words_of_teardown, variables.own)
    return _ending(test, argv, ended)


class _Variables:
    """The variables of a command test: its own ones, and all that may stand in its words."""

    def __init__(
        self, env: Mapping[str, str], file: StructureFile, test: CommandTest, around: Surroundings
    ) -> None:
        shared = _shared(env, file)
        below = {**env, **shared}
        mine = {name: expand(one, below) for name, one in test.env.items()}
        self.own = {**shared, **_outer(file.options, around), **mine}
        self.known = {**below, **mine}


def _shared(env: Mapping[str, str], file: StructureFile) -> dict[str, str]:
    return {name: expand(one, env) for name, one in file.global_env.items()}


def _outer(options: RunOptions, around: Surroundings) -> dict[str, str]:
    found: dict[str, str] = {}
    if options.env_file is not None:
        text = (around.folder / options.env_file).read_text(encoding="utf-8")
        found = read_env_file(text, options.env_file, around.environment)
    named = {name: around.environment.get(name, "") for name in options.env_names}
    return {name: one for name, one in {**found, **named}.items() if one}


class _Runner:
    """Runs commands with the options of the file; what they cannot have shows their place."""

    def __init__(self, options: RunOptions, around: Surroundings) -> None:
        self._options = options
        self._mounts = dict(self._mount(one, around) for one in options.bind_mounts)

    def _mount(self, text: str, around: Surroundings) -> tuple[str, str]:
        source, _, target = text.partition(":")
        path = around.folder / source
        if not path.exists():
            raise StructureError(
                f"{self._options.place}: {path}, which is to be mounted, is not there",
                hint="unlike docker, nothing is made on this machine for a bind mount",
            )
        return str(path), target

    def __call__(
        self,
        container: Container,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        tty: bool = False,
    ) -> Ended:
        options = self._options
        try:
            return container.run(
                list(argv), env=env, user=options.user, mounts=self._mounts,
                privileged=options.privileged, cap_add=options.capabilities, tty=tty, check=False,
            )  # fmt: skip
        except UsageError as error:
            raise StructureError(f"{options.place}: {error.message}", hint=error.hint) from error


def _ending(test: CommandTest, argv: Sequence[str], ended: Ended) -> list[str]:
    problems: list[str] = []
    for name, found, expected, excluded in (
        ("stdout", ended.stdout, test.expected_output, test.excluded_output),
        ("stderr", ended.stderr, test.expected_error, test.excluded_error),
    ):
        problems += _pattern_problems(name, found, expected, excluded)
    if ended.exit_code != test.exit_code:
        problems.append(f"exit code is {ended.exit_code}, expected {test.exit_code}")
    if not problems:
        return []
    shown = [f"command: {' '.join(argv)}"]
    for name, text in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        if text:
            shown += [f"{name}:", *words.shown_text(text)]
    return [*problems, *shown]


def _pattern_problems(
    name: str,
    text: str,
    expected: Sequence[re.Pattern[str]],
    excluded: Sequence[re.Pattern[str]],
) -> Iterator[str]:
    for one in expected:
        if not one.search(text):
            yield f"{name} does not match {_written(one)}"
    for one in excluded:
        found = one.search(text)
        if found:
            yield f"{name} matches {_written(one)}, which is excluded: {found[0]!r}"


def _written(pattern: re.Pattern[str]) -> str:
    return repr(pattern.pattern.replace(r"\Z", "$"))


def existence_problems(image: Image, test: FileExistenceTest, file: StructureFile) -> list[str]:
    """What is wrong with a file that is to be there, or not to be there; links are not followed."""
    env = image.config.env
    path = image.path(expand(test.path, {**env, **_shared(env, file)}))
    kind = files.kind_of(path)
    if not test.should_exist:
        return files.absence_problems(image, str(path))
    if kind is None:
        missing = files.file_problems(image, str(path), files.WantedFacts(), files.WantedContent())
        return [one.replace("there is no file", "there is no") for one in missing]
    return list(_facts(path, test))


def _facts(path: FilePath, test: FileExistenceTest) -> Iterator[str]:
    found = path.lstat()
    shown = go_mode(found.kind, found.mode)
    if test.permissions and shown != test.permissions:
        yield f"{path} has permissions {shown}, expected {test.permissions}"
    bits = {"any": 0o111, "owner": 0o100, "group": 0o010, "other": 0o001}
    if test.executable_by and not found.mode & bits[test.executable_by]:
        yield f"{path} is not executable by {test.executable_by}: it has permissions {shown}"
    if test.uid not in (-1, found.uid):
        yield f"{path} has uid {found.uid}, expected {test.uid}"
    if test.gid not in (-1, found.gid):
        yield f"{path} has gid {found.gid}, expected {test.gid}"


def go_mode(kind: str, mode: int) -> str:
    """A mode as Go writes it: ``-rw-r--r--``, ``drwxr-xr-x``, ``Lrwxrwxrwx``, ``urwxr-xr-x``."""
    letters = "Dc" if kind == "character" else _GO_TYPES.get(kind, "")
    special = "".join(letter for bit, letter in _GO_BITS if mode & bit)
    permissions = mode_bits.filemode(mode_bits.S_IFREG | (mode & 0o777))[1:]
    return f"{(letters + special) or '-'}{permissions}"


def content_problems(image: Image, test: FileContentTest) -> list[str]:
    """What is wrong with the content of a file."""
    path = image.path(test.path)
    if not path.is_file():
        return files.file_problems(image, test.path, files.WantedFacts(), files.WantedContent())
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    found = list(_pattern_problems(str(path), text, test.expected, test.excluded))
    return [*found, "it begins:", *words.shown_text(text)[:10]] if found else []


def license_problems(image: Image, test: LicenseTest) -> list[str]:
    """Which files name a license that is not allowed, or are not there."""
    problems = []
    if test.debian:
        folder = image.path(_DOCUMENTS)
        if not folder.is_dir():
            problems.append(f"there is no directory {_DOCUMENTS}")
        for one in folder.iterdir() if folder.is_dir() else ():
            is_package = not one.is_symlink() and one.is_dir()
            if is_package and one.name not in _ALLOWED_PACKAGES:
                problems += _license(image, posixpath.join(str(one), "copyright"))
    for path in test.files:
        problems += _license(image, path)
    return problems


def _license(image: Image, path: str) -> list[str]:
    found = image.path(path)
    if not found.is_file():
        return [f"there is no license file {path}"]
    text = found.read_bytes().decode("utf-8", "replace").upper()
    return [f"{path} contains {one}" for one in _FORBIDDEN if one in text][:1]


def metadata_problems(image: Image, test: MetadataTest) -> list[str]:
    """What is wrong with the configuration of an image."""
    config = image.config
    ports = [port.partition("/")[0] for port in config.exposed_ports]
    return [
        *_value_problems("variable", config.env, test.env),
        *(f"variable {one} is set, expected none" for one in test.unbound_env if one in config.env),
        *_value_problems("label", config.labels, test.labels),
        *_words("CMD", config.cmd, test.cmd),
        *_words("ENTRYPOINT", config.entrypoint, test.entrypoint),
        *_text("the working directory", config.workdir, test.workdir),
        *_text("the user", config.user, test.user),
        *_members("port", ports, test.exposed_ports, "exposed", expected=True),
        *_members("port", ports, test.unexposed_ports, "exposed", expected=False),
        *_members("volume", config.volumes, test.volumes, "declared", expected=True),
        *_members("volume", config.volumes, test.unmounted_volumes, "declared", expected=False),
    ]


def _value_problems(what: str, known: Mapping[str, str], wanted: Sequence[Value]) -> Iterator[str]:
    for one in wanted:
        if one.key not in known:
            yield f"there is no {what} {one.key}"
            yield from words.near_line(one.key, known, f"{what}s")
        elif not one.fits(known[one.key]):
            shown = repr(one.text) if one.pattern is None else f"a match of {one.text!r}"
            yield f"{what} {one.key} is {known[one.key]!r}, expected {shown}"


def _words(what: str, found: Sequence[str] | None, wanted: Sequence[str] | None) -> Iterator[str]:
    if wanted is not None and list(found or ()) != list(wanted):
        yield f"{what} is {list(found or ())!r}, expected {list(wanted)!r}"


def _text(what: str, found: str, wanted: str) -> Iterator[str]:
    if wanted and found != wanted:
        yield f"{what} is {found!r}, expected {wanted!r}"


def _members(
    what: str, known: Sequence[str], named: Sequence[str], state: str, *, expected: bool
) -> Iterator[str]:
    for one in named:
        if (one in known) != expected:
            hint = " (write ports without protocol)" if what == "port" and "/" in one else ""
            yield f"{what} {one} is {'not ' if expected else ''}{state}{hint}"
            if expected:
                yield f"{state}: {', '.join(known) or 'none'}"
