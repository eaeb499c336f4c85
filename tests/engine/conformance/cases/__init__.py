"""All cases, by what they are about."""

from __future__ import annotations

from ..case import Case
from . import copy

ALL: tuple[Case, ...] = (*copy.CASES,)
