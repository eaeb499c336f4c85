"""All cases, by what they are about."""

from __future__ import annotations

from ..case import Case
from . import add, config, copy, expansion, ignoring, lines, names, run, stages

ALL: tuple[Case, ...] = (
    *lines.CASES,
    *config.CASES,
    *run.CASES,
    *copy.CASES,
    *add.CASES,
    *expansion.CASES,
    *stages.CASES,
    *ignoring.CASES,
    *names.CASES,
)
