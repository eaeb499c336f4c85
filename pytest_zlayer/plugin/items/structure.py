"""Files of container-structure-test as items: one a test, by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.checks.structure import evaluate
from pytest_zlayer.checks.structure.read import read_structure
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.inputs.declarations import Place, declare
from pytest_zlayer.plugin.fixtures import Failing
from pytest_zlayer.plugin.items.check_item import CheckItem
from pytest_zlayer.plugin.state import state_of

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.checks.structure.model import StructureFile

    Evaluate = Callable[[Image], list[str]]


class StructureTests(pytest.File):
    """A structure file; ``images`` are those it is about."""

    images: list[str]

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """The sections of the file, and its one metadata test."""
        shown = self.path.relative_to(self.config.rootpath) if self._is_below() else self.path
        try:
            text = self.path.read_text(encoding="utf-8")
            found = read_structure(text, shown.as_posix(), self.path.parent)
        except ZlayerError as error:
            raise self.CollectError(str(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise self.CollectError(f"{shown}: {error}") from error
        return list(self._sections(found))

    def _is_below(self) -> bool:
        return self.path.is_relative_to(self.config.rootpath)

    def _sections(self, found: StructureFile) -> Iterator[pytest.Item | pytest.Collector]:
        around = evaluate.Surroundings(state_of(self.config).settings.environment, self.path.parent)
        sections: dict[str, list[tuple[str, int, Evaluate]]] = {
            "commandTests": [
                (one.name, one.line, _bound(evaluate.command_problems, one, found, around))
                for one in found.commands
            ],
            "fileExistenceTests": [
                (one.name, one.line, _bound(evaluate.existence_problems, one, found))
                for one in found.existence
            ],
            "fileContentTests": [
                (one.name, one.line, _bound(evaluate.content_problems, one))
                for one in found.contents
            ],
            "licenseTests": [
                (one.name, one.line, _bound(evaluate.license_problems, one))
                for one in found.licenses
            ],
        }
        for name, tests in sections.items():
            if tests:
                section: Any = Section.from_parent(self, name=name)
                section.tests = tests
                section.images = self.images
                yield section
        if found.metadata is not None:
            check = _bound(evaluate.metadata_problems, found.metadata)
            yield from _items(self, [("metadataTest", found.metadata.line, check)], self.images)


class Section(pytest.Collector):
    """The tests of one kind."""

    tests: list[tuple[str, int, Evaluate]]
    images: list[str]

    def collect(self) -> Iterable[pytest.Item]:
        """One item for each test and image."""
        return _items(self, self.tests, self.images)


def _items(
    parent: pytest.Collector, tests: list[tuple[str, int, Evaluate]], images: list[str]
) -> Iterator[pytest.Item]:
    seen: Counter[str] = Counter()
    for name, line, check in tests:
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        for image in images:
            shown = f"{label}[{image}]" if len(images) > 1 else label
            item: Any = StructureTest.from_parent(parent, name=shown)
            item.line, item.image, item.check = line, image, check
            yield item


def _bound(evaluation: Callable[..., list[str]], *rest: Any) -> Evaluate:
    return lambda image: evaluation(image, *rest)


class StructureTest(CheckItem):
    """One test of a structure file on one image."""

    image: str
    check: Evaluate

    def zlayer_images(self) -> list[Callable[[], ImageSpec]]:
        """What gives the declarations of the images it needs."""
        return [lambda: image_spec(self.image, self.config.rootpath)]

    def problems(self) -> list[str]:
        """Build the image and look."""
        state = state_of(self.config)
        with Failing(state):
            image = state.build(image_spec(self.image, self.config.rootpath))
            found = self.check(image)
        return [f"{image.label}: {found[0]}", *(f"  {one}" for one in found[1:])] if found else []


def image_spec(text: str, root: Path) -> ImageSpec:
    """The image that a setting names: ``CONTEXT``, ``CONTEXT:TARGET`` or ``ref:NAME``.

    Raises:
        UsageError: there is no such context.
    """
    place = Place(root, root)
    kind, _, rest = text.partition(":")
    if kind == "ref":
        return declare((), {"ref": rest}, place=place, what="zlayer_structure_tests")
    context, colon, target = text.rpartition(":")
    if not colon or "/" in target or "://" in text or place.find(text).exists():
        return declare((text,), {}, place=place, what="zlayer_structure_tests")
    return declare((context,), {"target": target}, place=place, what="zlayer_structure_tests")
