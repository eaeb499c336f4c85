"""Ignore files: which paths of a build context are left out."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.ignore.index import NONE, PatternIndex
from pytest_zlayer.dockerfile.ignore.pattern import IgnorePattern, parse_pattern
from pytest_zlayer.dockerfile.values.paths import clean

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_BYTE_ORDER_MARK = "\ufeff"


class IgnoreRules:
    """The patterns of a ``.dockerignore`` file, or of ``--exclude``.

    The last pattern that matches a path or one of its parent directories decides: a plain one
    excludes the path, one with ``!`` includes it (dockerfile reference, ".dockerignore files").
    """

    def __init__(self, patterns: Iterable[IgnorePattern]) -> None:
        self.patterns = tuple(patterns)
        self._index = PatternIndex(self.patterns)
        self._last_plain = self._last_of_kind(negated=False)
        self._last_negated = self._last_of_kind(negated=True)
        self._folders: dict[str, int] = {"": NONE}

    @classmethod
    def parse(cls, text: str | bytes) -> IgnoreRules:
        """Read an ignore file.

        Raises:
            ValueError: ``syntax error in pattern`` or ``illegal exclusion pattern: "!"``.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        lines = text.removeprefix(_BYTE_ORDER_MARK).split("\n")
        cleaned = (_cleaned_line(line) for line in lines if not line.startswith("#"))
        return cls.from_patterns(line for line in cleaned if line)

    @classmethod
    def from_patterns(cls, patterns: Iterable[str]) -> IgnoreRules:
        """Take patterns as they are given to ``--exclude`` (``#`` has no meaning there).

        Raises:
            ValueError: as :meth:`parse`.
        """
        stripped = (pattern.strip(_SPACE) for pattern in patterns)
        return cls(_pattern(clean(pattern)) for pattern in stripped if pattern)

    @property
    def has_exceptions(self) -> bool:
        """Whether any pattern begins with ``!``."""
        return self._last_negated != NONE

    def excludes(self, path: str) -> bool:
        """Whether a path relative to the context, with ``/`` between its elements, is left out."""
        if path in ("", "."):
            return False
        folder, _, name = path.rpartition("/")
        return self.is_excluded(self._decide(self._deciding(folder), folder, name, path))

    def deciding(self, path: str) -> IgnorePattern | None:
        """The pattern that decides about a path: the last one that matches it or a parent."""
        folder, _, name = path.rpartition("/")
        index = self._decide(self._deciding(folder), folder, name, path)
        return None if index == NONE else self.patterns[index]

    def root(self) -> IgnoreState:
        """The state of a walk at the context's root directory."""
        return IgnoreState(self, "", NONE)

    def step(self, folder: str, deciding: int, name: str) -> IgnoreState:
        """The state at ``name`` in ``folder``, which the pattern ``deciding`` decided."""
        path = f"{folder}/{name}" if folder else name
        return IgnoreState(self, path, self._decide(deciding, folder, name, path))

    def is_excluded(self, deciding: int) -> bool:
        """Whether the pattern that decides excludes (``NONE``: no pattern matched)."""
        return deciding != NONE and not self.patterns[deciding].negated

    def may_reinclude(self, folder: str, deciding: int) -> bool:
        """Whether a later pattern with ``!`` may match something below ``folder``."""
        return any(
            pattern.negated and pattern.may_match_below(folder)
            for pattern in self.patterns[deciding + 1 :]
        )

    def _decide(self, inherited: int, folder: str, name: str, path: str) -> int:
        """The last pattern that matches the path or a parent; the parent's is ``inherited``."""
        if self._is_settled(inherited):
            return inherited
        return max(inherited, self._index.last(folder, name, path))

    def _is_settled(self, deciding: int) -> bool:
        """Whether no later pattern could change what this one decided."""
        if self.is_excluded(deciding):
            return deciding > self._last_negated
        return deciding >= self._last_plain

    def _deciding(self, folder: str) -> int:
        """The pattern that decides about a folder; looked up once for each."""
        known = self._folders.get(folder)
        if known is not None:
            return known
        state = self.root()
        for name in folder.split("/"):
            _, state = state.child(name)
            self._folders[state.path] = state.deciding
        return state.deciding

    def _last_of_kind(self, *, negated: bool) -> int:
        indexes = (index for index, one in enumerate(self.patterns) if one.negated is negated)
        return max(indexes, default=NONE)


@dataclass(frozen=True, slots=True)
class IgnoreState:
    """Where a walk through the context stands; parents are not matched again on the way down."""

    rules: IgnoreRules
    path: str
    deciding: int

    @property
    def excluded(self) -> bool:
        """Whether this path is left out."""
        return self.rules.is_excluded(self.deciding)

    @property
    def may_reinclude(self) -> bool:
        """Whether it is worth descending although the directory itself is left out."""
        return self.rules.may_reinclude(self.path, self.deciding)

    def child(self, name: str) -> tuple[bool, IgnoreState]:
        """Whether the entry ``name`` of this directory is left out, and the state at it."""
        state = self.rules.step(self.path, self.deciding, name)
        return state.excluded, state


def _cleaned_line(line: str) -> str:
    pattern = line.strip(_SPACE)
    negation = "!" if pattern.startswith("!") else ""
    pattern = pattern.removeprefix("!").strip(_SPACE) if negation else pattern
    return negation + (clean(pattern).removeprefix("/") if pattern else "")


def _pattern(text: str) -> IgnorePattern:
    if text == "!":
        raise ValueError('illegal exclusion pattern: "!"')
    return parse_pattern(text.removeprefix("!"), negated=text.startswith("!"))
