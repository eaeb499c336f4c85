"""The ``assert_*`` methods that images, containers and services have in common.

They are classes to inherit from: each asks of ``self`` only what a protocol in ``subjects`` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.checks import words
from pytest_zlayer.lazy import LazyModule

if TYPE_CHECKING:
    from pytest_zlayer.checks import commands, configuration, files, layers
    from pytest_zlayer.checks.configuration import Text, Words
    from pytest_zlayer.checks.files import Content
    from pytest_zlayer.checks.subjects import (
        Ended,
        HasConfig,
        HasFiles,
        HasLayers,
        HasPackages,
    )

    class Runs(HasFiles, Protocol):
        """What runs commands."""

        def run(self, cmd: Any = None, *, check: bool = True) -> Ended: ...

else:
    # Each is loaded with the first assertion that needs it.
    commands = LazyModule("pytest_zlayer.checks.commands")
    configuration = LazyModule("pytest_zlayer.checks.configuration")
    files = LazyModule("pytest_zlayer.checks.files")
    layers = LazyModule("pytest_zlayer.checks.layers")


def called(subject: object) -> str:
    """How people know an image, a container or a service."""
    label = getattr(subject, "label", None) or getattr(subject, "name", None)
    return label if isinstance(label, str) else str(subject)


def fail_with(subject: object, problems: Sequence[str], *, begin: str = "") -> None:
    """Fail when there are problems: the first one after the name, the others below it.

    Raises:
        AssertionError: there are.
    """
    __tracebackhide__ = True
    if problems:
        head, *rest = problems
        raise AssertionError(
            "\n".join([f"{begin or called(subject)}: {head}", *words.indented(rest)])
        )


class FileAssertions:
    """Assertions on files."""

    def assert_file(
        self: HasFiles,
        path: str,
        *,
        mode: int | str | None = None,
        owner: int | str | None = None,
        group: int | str | None = None,
        size: int | str | None = None,
        contains: Content | None = None,
        matches: Content | None = None,
        equals: str | bytes | None = None,
        sha256: str | None = None,
    ) -> None:
        """There is a regular file at ``path`` (links are followed), and it is as expected.

        Args:
            path: absolute path inside.
            mode: permission bits as a number (``0o644``) or as octal digits (``"0644"``).
            owner: name or number; ``"app:web"`` names the group too.
            group: name or number.
            size: bytes, or a text such as ``"12kB"``.
            contains: a text or bytes that stand in it, or a compiled pattern that is found in it.
            matches: a regular expression that is found in it (``^`` and ``$``: of a line).
            equals: the whole content.
            sha256: digest of the content, in hexadecimal digits.

        Raises:
            AssertionError: it is not so.
        """
        __tracebackhide__ = True
        facts = files.WantedFacts(mode=mode, owner=owner, group=group, size=size)
        content = files.WantedContent(
            contains=contains, matches=matches, equals=equals, sha256=sha256
        )
        fail_with(self, files.file_problems(self, path, facts, content))

    def assert_directory(
        self: HasFiles,
        path: str,
        *,
        mode: int | str | None = None,
        owner: int | str | None = None,
        group: int | str | None = None,
    ) -> None:
        """There is a directory at ``path`` (links are followed); arguments as ``assert_file``."""
        __tracebackhide__ = True
        facts = files.WantedFacts(mode=mode, owner=owner, group=group)
        fail_with(self, files.directory_problems(self, path, facts))

    def assert_link(self: HasFiles, path: str, target: str | None = None) -> None:
        """There is a symbolic link at ``path``, with exactly this ``target`` if one is given."""
        __tracebackhide__ = True
        fail_with(self, files.link_problems(self, path, target))

    def assert_no_file(self: HasFiles, path: str) -> None:
        """There is nothing at ``path``: no file, directory or link."""
        __tracebackhide__ = True
        fail_with(self, files.absence_problems(self, path))


class CommandAssertions:
    """Assertions on commands."""

    def assert_runs(
        self: Runs,
        cmd: str | Sequence[str] | None = None,
        *,
        exit_code: int | None = 0,
        stdout: Text | None = None,
        stderr: Text | None = None,
        **run: Any,
    ) -> None:
        """A command ends with ``exit_code`` and writes what is expected.

        Args:
            cmd: as for ``run``.
            exit_code: its status; ``None``: any.
            stdout: the whole text, or a compiled pattern that is found in it.
            stderr: as ``stdout``.
            run: the other arguments of ``run``.
        """
        __tracebackhide__ = True
        ended = self.run(cmd, **{**run, "check": False})
        found = commands.ending_problems(ended, exit_code=exit_code, stdout=stdout, stderr=stderr)
        if found and ended.exit_code == commands.NOT_FOUND:
            image = getattr(self, "image", self)
            env = {**getattr(image, "config", _NoConfig).env, **run.get("env", {})}
            found += commands.program_lines(self, cmd, env)
        fail_with(self, found, begin=f"{commands.shown_command(cmd)} in {called(self)}")


class _NoConfig:
    env: Mapping[str, str] = {}


class PackageAssertions:
    """Assertions on packages."""

    def assert_package(self: HasPackages, name: str, version: Text | None = None) -> None:
        """A package is installed, in exactly this version or one a compiled pattern is found in."""
        __tracebackhide__ = True
        packages = self.packages
        problems: list[str] = []
        if name not in packages:
            near = words.near(name, packages)
            lines = [f"near: {', '.join(f'{one} {packages[one].version}' for one in near)}"]
            none = words.near_line(name, packages, "packages that could be found")
            problems = [f"package {name} is not installed", *(lines if near else none)]
        elif version is not None and not configuration.is_expected(packages[name].version, version):
            have = packages[name].version
            want = configuration.wanted_text(version)
            problems = [f"package {name} has version {have!r}, expected {want}"]
        fail_with(self, problems)


class ConfigAssertions:
    """Assertions on the image configuration."""

    def assert_env(self: HasConfig, **variables: Text | None) -> None:
        """Environment variables have these values (text, or compiled pattern; ``None``: unset)."""
        __tracebackhide__ = True
        fail_with(self, configuration.variable_problems(self.config.env, variables))

    def assert_label(self: HasConfig, name: str, value: Text | None = None) -> None:
        """There is a label, with this value if one is given."""
        __tracebackhide__ = True
        fail_with(self, configuration.label_problems(self.config.labels, name, value))

    def assert_user(self: HasConfig, user: Text) -> None:
        """USER is this; ``""``: it is not set."""
        __tracebackhide__ = True
        fail_with(self, configuration.value_problems("the user", self.config.user, user))

    def assert_workdir(self: HasConfig, path: Text) -> None:
        """WORKDIR is this."""
        __tracebackhide__ = True
        fail_with(
            self, configuration.value_problems("the working directory", self.config.workdir, path)
        )

    def assert_entrypoint(self: HasConfig, words: Words) -> None:
        """ENTRYPOINT is exactly these words; ``None``: there is none."""
        __tracebackhide__ = True
        fail_with(self, configuration.words_problems("ENTRYPOINT", self.config.entrypoint, words))

    def assert_cmd(self: HasConfig, words: Words) -> None:
        """CMD is exactly these words; ``None``: there is none."""
        __tracebackhide__ = True
        fail_with(self, configuration.words_problems("CMD", self.config.cmd, words))

    def assert_exposes(self: HasConfig, *ports: int | str) -> None:
        """These ports are exposed (``8080``, ``"8080/udp"``); without arguments: any."""
        __tracebackhide__ = True
        fail_with(self, configuration.port_problems(self.config.exposed_ports, ports))

    def assert_volumes(self: HasConfig, *paths: str) -> None:
        """These paths are volumes; without arguments: any."""
        __tracebackhide__ = True
        fail_with(self, configuration.volume_problems(self.config.volumes, paths))

    def assert_healthcheck(
        self: HasConfig,
        test: Text | Sequence[str] | None = None,
        *,
        interval: float | None = None,
        timeout: float | None = None,
        start_period: float | None = None,
        retries: int | None = None,
    ) -> None:
        """There is a health check, and it is as expected; times in seconds.

        ``test`` is the command as a text (or compiled pattern), or as its words.
        """
        __tracebackhide__ = True
        wanted = configuration.WantedHealthcheck(
            test=test,
            interval=interval,
            timeout=timeout,
            start_period=start_period,
            retries=retries,
        )
        fail_with(self, configuration.healthcheck_problems(self.config.healthcheck, wanted))


class LayerAssertions:
    """Assertions on what an image weighs."""

    def assert_max_size(self: HasLayers, size: int | str) -> None:
        """All layers together have at most so many bytes (or ``"20MB"``, ``"1.5GiB"``)."""
        __tracebackhide__ = True
        fail_with(self, layers.size_problems(self, size))

    def assert_max_layers(self: HasLayers, count: int) -> None:
        """There are at most so many layers."""
        __tracebackhide__ = True
        fail_with(self, layers.count_problems(self, count))

    def assert_max_wasted(self: HasLayers, size: int | str) -> None:
        """Later layers hide or write again at most so many bytes (or ``"1MB"``)."""
        __tracebackhide__ = True
        fail_with(self, layers.waste_problems(self, size))


class Assertions(FileAssertions, CommandAssertions, PackageAssertions):
    """What containers and services have."""


class ImageAssertions(Assertions, ConfigAssertions, LayerAssertions):
    """What images have."""
