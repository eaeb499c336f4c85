"""Something left in the store on purpose."""

from __future__ import annotations

from typing import Literal

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Something left in the store on purpose.

    Attributes:
        kind: ``image``, ``stage``, ``container`` or ``service``.
        name: what it is called in the store.
        label: which image of the run it is or belongs to.
        command: looks inside when pasted into a shell.
    """

    kind: Literal["image", "stage", "container", "service"]
    name: str
    label: str
    command: str
