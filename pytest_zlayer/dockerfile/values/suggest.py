"""Did-you-mean: the known word nearest to the one a user wrote."""

from __future__ import annotations

from collections.abc import Iterable

# Further away than this a suggestion confuses more than it helps (BuildKit draws the same line).
_FARTHEST = 2


def suggest(word: str, candidates: Iterable[str], *, case_sensitive: bool = True) -> str | None:
    """The candidate within Levenshtein distance 2 of ``word``, the first of the nearest ones.

    One that has no letter in common with it is none.

    ``None`` when there is none, or when ``word`` is itself a candidate (then the mistake is not in
    the spelling). With ``case_sensitive=False`` case is ignored and the answer comes in the
    user's manner: upper case if all of ``word`` is, else lower case.
    """
    if case_sensitive:
        return _nearest(word, candidates)
    found = _nearest(word.lower(), (one.lower() for one in candidates))
    return found.upper() if found and word == word.upper() else found


def _nearest(word: str, candidates: Iterable[str]) -> str | None:
    best: str | None = None
    limit = _FARTHEST
    for candidate in candidates:
        if candidate == word:
            return None
        distance = levenshtein(word, candidate)
        # Words that have no letter in common are no misspellings of each other.
        if distance <= limit and distance < max(len(word), len(candidate)):
            best, limit = candidate, distance - 1
    return best


def levenshtein(one: str, other: str) -> int:
    """How many insertions, deletions and replacements of a character lead from one to other."""
    previous = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            replaced = previous[column - 1] + (left != right)
            current.append(min(previous[column] + 1, current[-1] + 1, replaced))
        previous = current
    return previous[-1]
