"""``matrix=``: one declaration, several images; the cells and their readable test ids."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pytest_zlayer.argument_values import value_text
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of matrix values: declaration name, argument and value, in order."""

    entries: tuple[tuple[str, str, str], ...]

    def values_for(self, name: str) -> dict[str, str]:
        """What this cell sets in the declaration called ``name``."""
        return {argument: value for owner, argument, value in self.entries if owner == name}

    def labels(self) -> Mapping[str, str]:
        """Argument to value; arguments carry their declaration's name when there are several."""
        several = len({owner for owner, _, _ in self.entries}) > 1
        return MappingProxyType(
            {
                f"{owner}.{argument}" if several else argument: value
                for owner, argument, value in self.entries
            }
        )

    def __str__(self) -> str:
        return cell_text(self.labels())


def cell_text(values: Mapping[str, str]) -> str:
    """A cell in words that ``-k`` takes as they stand: it knows neither ``=`` nor blanks."""
    pairs = (f"{argument}-{value}" for argument, value in values.items())
    return re.sub(r"[^\w.:+/-]", "-", "_".join(pairs))


def parse_matrix(value: Any) -> dict[str, tuple[str, ...]]:
    """The ``matrix`` argument as argument to values.

    Raises:
        UsageError: no mapping of names to lists of values.
    """
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"matrix must be a mapping of names to lists of values, not {value!r}")
    return {name: _values(name, values) for name, values in value.items()}


def _values(name: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise UsageError(f"matrix[{name!r}] must be a list of values, not {values!r}")
    return tuple(value_text(f"matrix[{name!r}][{at}]", one) for at, one in enumerate(values))


def cells(matrices: Iterable[tuple[str, Mapping[str, Sequence[str]]]]) -> list[Cell]:
    """Every combination of the values of all declarations' matrices, the last one fastest."""
    axes = [
        [(owner, argument, value) for value in values]
        for owner, matrix in matrices
        for argument, values in matrix.items()
    ]
    return [Cell(entries) for entries in itertools.product(*axes)] if axes else []
