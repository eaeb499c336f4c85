"""All cases, by what they are about."""

from __future__ import annotations

from ..case import Case
from . import copy, lines, run

ALL: tuple[Case, ...] = (*lines.CASES, *run.CASES, *copy.CASES)
