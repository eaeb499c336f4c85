"""Which files become items: those that the settings name, wherever they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path

import pytest

from pytest_zlayer.choices import DOCKERFILES
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.state import State, state_of


@dataclass(slots=True)
class ItemFiles:
    """The files of this run that become items.

    Attributes:
        structure: of a structure file, the images it is about, as the settings name them.
        lint: Dockerfiles to be checked; ``None``: those that are met, by their names.
    """

    structure: dict[Path, list[str]] = field(default_factory=dict)
    lint: set[Path] | None = field(default_factory=set)


_FILES = pytest.StashKey[ItemFiles]()


def find_files(config: pytest.Config) -> None:
    """Read the settings, and have pytest collect the files that it would not come across.

    Raises:
        pytest.UsageError: a setting names no file.
    """
    state = state_of(config)
    try:
        found = ItemFiles(_structure_files(state), _lint_files(state))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_FILES] = found
    if config.args_source != pytest.Config.ArgsSource.ARGS:
        _add_arguments(config, [*found.structure, *sorted(found.lint or ())])


def collect(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The collector for a file: none for most."""
    found = parent.config.stash.get(_FILES, None)
    if found is None:
        return None
    images = found.structure.get(file_path)
    if images is not None:
        with LOADING:
            from pytest_zlayer.plugin.items.structure import StructureTests

        collector: pytest.Collector = StructureTests.from_parent(parent, path=file_path)
        collector.images = images  # type: ignore[attr-defined]  # it has them
        return collector
    if file_path in found.lint if found.lint is not None else _is_dockerfile(file_path):
        with LOADING:
            from pytest_zlayer.plugin.items.lint import DockerfileChecks

        checks: pytest.Collector = DockerfileChecks.from_parent(parent, path=file_path)
        return checks
    return None


def _is_dockerfile(path: Path) -> bool:
    return any(path.match(one) for one in DOCKERFILES) and path.suffix != ".dockerignore"


def _structure_files(state: State) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for text in state.settings["structure-tests"]:
        image, _, patterns = text.partition("=")
        for path in _matching(state, patterns.split(), "zlayer_structure_tests"):
            found.setdefault(path, []).append(image)
    return found


def _lint_files(state: State) -> set[Path] | None:
    """The Dockerfiles that patterns name; ``None`` where all that are met are meant."""
    given = state.settings["lint"]
    if not given or given[-1] == "off":
        return set()
    patterns = [one for text in given if text not in ("on", "off") for one in text.split()]
    return set(_matching(state, patterns, "zlayer_lint")) if patterns else None


def _matching(state: State, patterns: Iterable[str], setting: str) -> Iterator[Path]:
    root = state.config.rootpath
    for pattern in patterns:
        inside = pattern.removeprefix(f"{root}/")
        if inside.startswith("/"):
            paths = [Path(inside)] if Path(inside).is_file() else []
        else:
            paths = sorted(path for path in root.glob(inside) if path.is_file())
        if not paths:
            raise UsageError(f"{setting}: no such file: {pattern}", hint=f"paths start at {root}")
        yield from paths


def _add_arguments(config: pytest.Config, paths: Iterable[Path]) -> None:
    """Add the files to what is collected that lie below nothing which is collected."""
    invoked = config.invocation_params.dir
    places = [(invoked / one.split("::")[0]).resolve() for one in config.args]
    for path in paths:
        if not any(place in (path, *path.parents) for place in places):
            config.args.append(str(path))
