"""The parts of a word: text, quotes and variables, as the word grammar finds them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.grammar import load_grammar
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from lark import Token, Tree

    Node: TypeAlias = Token | Tree[Token]

# What BuildKit prints for the end of the text where it expected a character.
_NO_CHAR = "\ufffd"
MISSING_BRACE = "syntax error: missing '}'"
MISSING_SLASH = "syntax error: missing '/' in ${}"
BAD_SUBSTITUTION = "syntax error: bad substitution"
_UNCLOSED = "unexpected end of statement while looking for matching "


@dataclass(frozen=True, slots=True)
class Text:
    """Plain characters; ``raw`` keeps escape characters, as patterns need them.

    ``plain`` is false for what quotes or an escape protect from being split at white space.
    """

    text: str
    raw: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Quoted:
    """What stands between double quotes."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name`` or ``${name}``."""

    name: str


@dataclass(frozen=True, slots=True)
class Conditional:
    """``${name:-argument}`` and its like; ``operator`` may be one that does not exist."""

    name: str
    operator: str
    argument: tuple[Part, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Trim:
    """``${name#argument}`` or ``${name%argument}``."""

    name: str
    operator: str
    argument: tuple[Part, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Replace:
    """``${name/pattern/argument}``; every match is replaced with ``//``."""

    name: str
    operator: str
    pattern: tuple[Part, ...]
    argument: tuple[Part, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Broken:
    """What cannot be understood; ``parts`` inside it are met first and may fail before it does.

    ``end`` is how far the text was read. With ``covers`` a failure of ``parts`` that happened at
    the end of the text is reported as this one.
    """

    message: str
    start: int
    end: int
    parts: tuple[Part, ...] = ()
    covers: bool = True


Part: TypeAlias = Text | Quoted | Variable | Conditional | Trim | Replace | Broken


@lru_cache(maxsize=2048)
def parse_word(text: str, escape: str) -> tuple[Part, ...]:
    """The parts of a word; never fails, what is wrong becomes a part too."""
    return _parse(text, escape, quotes=True)


def parse_body(text: str) -> tuple[Part, ...]:
    """The parts of a here-document: as of a word, but quotes are ordinary characters."""
    return _parse(text, "\\", quotes=False)


def _parse(text: str, escape: str, *, quotes: bool) -> tuple[Part, ...]:
    # Imported here, for it loads lark: most words need none of this.
    with LOADING:
        from pytest_zlayer.dockerfile.shell.word_lexer import WordLexer, WordText

    grammar = load_grammar("word", lexer=WordLexer)
    tree = grammar.parse(WordText(text, escape, quotes))
    return _parts(tree.children, len(text))


def _parts(nodes: Iterable[Node], length: int) -> tuple[Part, ...]:
    return tuple(
        _token_part(node, length) if isinstance(node, str) else _tree_part(node, length)
        for node in nodes
    )


def _token_part(token: Token, length: int) -> Part:
    match token.type:
        case "VARIABLE":
            return Variable(token[1:])
        case "ESCAPED":
            return Text(token[1:], str(token), plain=False)
        case "QUOTED_ESCAPE":
            return Text(token[1:], str(token), plain=False)
        case "KEPT_ESCAPE":
            return Text(str(token), token * 2, plain=False)
        case "LAST_ESCAPE":
            return Text("", str(token), plain=True)
        case "SINGLE":
            return Text(token[1:-1], token[1:-1], plain=False)
        case "UNCLOSED_SINGLE":
            return Broken(f"{_UNCLOSED}single-quote", _start(token), length)
        case _:
            return Text(str(token), str(token), plain=True)


def _tree_part(tree: Tree[Token], length: int) -> Part:
    nodes = tree.children
    if tree.data == "quoted":
        return Quoted(_parts(nodes[1:-1], length))
    opening = _token(nodes[0])
    start = _start(opening)
    if tree.data == "broken_quoted":
        message = f"{_UNCLOSED}double-quote"
        return Broken(message, start, length, _parts(nodes[1:], length), covers=False)
    if tree.data == "missing_brace":
        return Broken(MISSING_BRACE, start, length)
    if tree.data == "bad_substitution":
        return Broken(BAD_SUBSTITUTION, start, start + len(opening))
    return _braced_part(str(tree.data), nodes, start, length)


def _braced_part(kind: str, nodes: list[Node], start: int, length: int) -> Part:
    """The part of a ``${`` that a name follows (which may be empty)."""
    name, last = str(_token(nodes[1])), nodes[-1]
    match kind:
        case "variable":
            return Variable(name)
        case "missing_modifier":
            return Broken(unsupported(_NO_CHAR), start, length)
        case "unsupported":
            rest = _token(last)
            modifier = rest[: 2 if rest.startswith(":") else 1]
            return Broken(unsupported(modifier), start, _start(rest) + len(modifier))
    inner = [_parts(node.children, length) for node in nodes if not isinstance(node, str)]
    if kind in ("open_argument", "open_pattern"):
        message = MISSING_BRACE if kind == "open_argument" else MISSING_SLASH
        return Broken(message, start, length, sum(inner, ()))
    end, operator = _start(_token(last)) + 1, str(_token(nodes[2]))
    if kind == "replace":
        return Replace(name, operator, inner[0], inner[1], start, end)
    made = Trim if kind == "trim" else Conditional
    return made(name, operator, inner[0], start, end)


def unsupported(modifier: str) -> str:
    """BuildKit's text for an operator it does not know."""
    return f"unsupported modifier ({modifier}) in substitution"


def _token(node: Node) -> Token:
    if not isinstance(node, str):
        raise TypeError(f"the word grammar put a {node.data} where a token belongs")
    return node


def _start(token: Token) -> int:
    return token.start_pos or 0
