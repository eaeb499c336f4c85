"""YAML with line numbers: nodes whose values are taken with their types checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from pytest_zlayer.checks.structure.model import StructureError
from pytest_zlayer.checks.words import near
from pytest_zlayer.errors import UsageError

Made = TypeVar("Made")
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_TRUE = ("yes", "true", "on", "y")


class Node:
    """A value of a file, with the line it stands in and how it is reached (``a[0].b``)."""

    def __init__(self, raw: Any, file: str, where: str, *, any_case: bool) -> None:
        self._raw = raw
        self._file = file
        self._any_case = any_case
        self.where = where
        self.line: int = raw.start_mark.line + 1

    @property
    def place(self) -> str:
        """File, line and column."""
        return f"{self._file}:{self.line}:{self._raw.start_mark.column + 1}"

    def refuse(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise an error that points here."""
        raise StructureError(f"{self.place}: {message}", hint=hint)

    @property
    def is_null(self) -> bool:
        """Whether nothing is said here."""
        return bool(self._raw.tag == _NULL)

    def fields(self, known: tuple[str, ...]) -> dict[str, Node]:
        """The values of a mapping by name; those that say nothing are left out."""
        if self._kind != "mapping":
            self._expected("a mapping")
        found: dict[str, Node] = {}
        for key, value in self._raw.value:
            name = self._known(self._child(key, ""), known)
            found[name] = self._child(value, f"{self.where}.{name}" if self.where else name)
        return {name: one for name, one in found.items() if not one.is_null}

    def names(self) -> tuple[str, ...]:
        """The names in a mapping, whatever they are."""
        if self._kind != "mapping":
            self._expected("a mapping")
        return tuple(self._child(key, "").text() for key, _ in self._raw.value)

    def _known(self, key: Node, known: tuple[str, ...]) -> str:
        name = key.text()
        for one in known:
            if one == name or (self._any_case and one.lower() == name.lower()):  # as Go reads JSON
                return one
        alike = near(name, known, most=1)
        hint = f"did you mean {alike[0]}?" if alike else f"known are {', '.join(known)}"
        return key.refuse(f"unknown key {name}{self._at()}", hint=hint)

    def items(self) -> Iterator[Node]:
        """The values of a list."""
        if self._kind != "sequence":
            self._expected("a list")
        for number, one in enumerate(self._raw.value):
            yield self._child(one, f"{self.where}[{number}]")

    def text(self) -> str:
        """A text; numbers and other scalars count as they are written."""
        if self._kind != "scalar":
            self._expected("text")
        return str(self._raw.value)

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(one.text() for one in self.items())

    def number(self) -> int:
        """A whole number."""
        if self._raw.tag != _INT:
            self._expected("a whole number")
        return int(str(self._raw.value).replace("_", ""), 0)

    def truth(self) -> bool:
        """True or false."""
        if self._raw.tag != _BOOL:
            self._expected("true or false")
        return str(self._raw.value).lower() in _TRUE

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return self._kind == "sequence"

    def made(self, make: Callable[[str], Made], what: str) -> Made:
        """The text turned into something; what cannot be is refused here."""
        text = self.text()
        try:
            return make(text)
        except ValueError as error:
            self.refuse(f"{what} {text!r}{self._at()}: {error}")

    @property
    def _kind(self) -> str:
        return str(self._raw.id)

    def _child(self, raw: Any, where: str) -> Node:
        return Node(raw, self._file, where, any_case=self._any_case)

    def _at(self) -> str:
        return f" in {self.where}" if self.where else ""

    def _expected(self, what: str) -> NoReturn:
        shown = f", not {self._raw.value!r}" if self._kind == "scalar" else f", not a {self._kind}"
        self.refuse(f"{self.where or 'the file'} must be {what}{shown}")


def read_nodes(text: str, file: str) -> Node:
    """The top of a YAML or (by the file's name) JSON document.

    Raises:
        StructureError: it is neither, or empty.
        UsageError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise UsageError(
            "structure files need PyYAML", hint="pip install 'pytest-zlayer[structure]'"
        ) from error
    is_json = file.endswith(".json")
    if is_json:
        _check_json(text, file)
        text = text.replace("\t", " ")  # JSON may be indented with what YAML may not
    loader = yaml.SafeLoader(text)
    try:
        raw = loader.get_single_node()
        if raw is None:
            raise StructureError(f"{file}:1:1: the file is empty")
        _flatten(loader, raw, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise StructureError(f"{file}:{place}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise StructureError(f"{file}:1:1: {error}") from error
    finally:
        loader.dispose()
    return Node(raw, file, "", any_case=is_json)


def _check_json(text: str, file: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise StructureError(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from error


def _flatten(loader: Any, node: Any, file: str, seen: set[int] | None = None) -> None:
    """Take over what merge keys (``<<``) name, everywhere below a node."""
    seen = set() if seen is None else seen
    if id(node) in seen:
        return
    seen.add(id(node))
    if node.id == "mapping":
        _refuse_twins(node, file)
        loader.flatten_mapping(node)
        for _, value in node.value:
            _flatten(loader, value, file, seen)
    elif node.id == "sequence":
        for value in node.value:
            _flatten(loader, value, file, seen)


def _refuse_twins(mapping: Any, file: str) -> None:
    seen = set()
    for key, _ in mapping.value:
        if key.id == "scalar" and key.value in seen:
            Node(key, file, "", any_case=False).refuse(f"{key.value} is given twice")
        seen.add(str(key.value))
