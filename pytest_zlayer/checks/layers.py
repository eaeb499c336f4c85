"""Checks of what an image weighs: its size, its layers, what later layers hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_zlayer.checks import words

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import HasLayers

_MOST = 8


def size_problems(subject: HasLayers, limit: int | str) -> list[str]:
    """What makes an image larger than it may be."""
    most = words.parse_size(limit)
    if subject.size <= most:
        return []
    over = words.size_text(subject.size - most)
    have, limit = words.size_text(subject.size), words.size_text(most)
    return [
        f"it has {have}, expected at most {limit} ({over} too much)",
        "the largest layers:",
        *layer_lines(subject, largest=True),
    ]


def count_problems(subject: HasLayers, most: int) -> list[str]:
    """Which layers there are when there are more than there may be."""
    if len(subject.layers) <= most:
        return []
    return [
        f"it has {len(subject.layers)} layers, expected at most {most}:",
        *layer_lines(subject, largest=False),
    ]


def waste_problems(subject: HasLayers, limit: int | str) -> list[str]:
    """Which files are in the way when more is wasted than may be."""
    most = words.parse_size(limit)
    wasted = sorted(subject.wasted, key=lambda one: (-one.size, one.path))
    total = sum(one.size for one in wasted)
    if total <= most:
        return []
    lines = [
        f"  {words.size_text(one.size):>8}  {one.path} (layer {one.layer})"
        for one in wasted[:_MOST]
    ]
    if len(wasted) > _MOST:
        lines.append(f"  … and {len(wasted) - _MOST} more files")
    head = f"later layers hide or overwrite {words.size_text(total)}"
    return [f"{head}, expected at most {words.size_text(most)}:", *lines]


def layer_lines(subject: HasLayers, *, largest: bool) -> list[str]:
    """The layers with what made them, from the bottom up or the largest first."""
    made = [entry.created_by for entry in subject.history if not entry.empty]
    known = list(enumerate(zip(subject.layers, made, strict=False), 1))
    if largest:
        known = sorted(known, key=lambda one: -one[1][0].size)[:_MOST]
    shown = [(number, layer.size, " ".join(text.split())[:80]) for number, (layer, text) in known]
    return [
        f"  {words.size_text(size):>8}  layer {number}: {text}".rstrip()
        for number, size, text in shown
    ]
