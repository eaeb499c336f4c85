"""Instructions back to text, in one canonical form that parses to the same instruction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_zlayer.dockerfile.instructions import Flag, Instruction

_BREAKER = "\f"
"""White space at the end of a line that keeps an escape character before it from continuing it."""

_WIDE = "\v"
"""White space that separates words for a Dockerfile, but neither in JSON nor after ``<<``."""


def canonical(instruction: Instruction) -> str:
    """One logical line with the keyword in upper case; the bodies of here-documents follow."""
    from pytest_zlayer.dockerfile.instructions import Onbuild

    name = instruction.name or instruction.keyword
    if isinstance(instruction, Onbuild):
        arguments = instruction.text.split("\n", 1)[0]
    else:
        arguments = _arguments(instruction)
    flags = [flag.raw or _flag(flag) for flag in instruction.flags]
    # A first argument that looks like a flag was behind the word that ends flags.
    guard = ["--"] if arguments.startswith("--") and not isinstance(instruction, Onbuild) else []
    line = " ".join([name, *flags, *guard, *([arguments] if arguments else [])])
    return _closed(line) + "".join(f"\n{one.content}{one.name}" for one in instruction.heredocs)


def _closed(line: str) -> str:
    """``line`` so that it does not go on in the next one."""
    end = line[-2:]
    continues = end[-1:] in ("\\", "`") and end != end[-1:] * 2
    return line + _BREAKER if continues else line


def _flag(flag: Flag) -> str:
    """A flag that was made and not read: quoted when white space or quotes ask for it."""
    text = str(flag)
    if not any(char.isspace() or char in "'\"" for char in text):
        return text
    return f"--{flag.name}='{flag.value}'" if "'" not in text else f'--{flag.name}="{flag.value}"'


def _arguments(instruction: Instruction) -> str:
    name = (instruction.name or instruction.keyword).upper()
    words = [word.value for word in instruction.args]
    if name in ("ENV", "LABEL"):
        return _pairs(instruction, words)
    if not instruction.json:
        return _separator(instruction, words).join(words)
    if name == "HEALTHCHECK":
        return f"{words[0]} {_array(words[1:])}"
    return _array(words)


def _array(words: list[str]) -> str:
    return json.dumps(words, ensure_ascii=False)


def _pairs(instruction: Instruction, words: list[str]) -> str:
    if getattr(instruction, "legacy", False):
        return f"{words[0]} {words[1]}"
    pairs = zip(words[::2], words[1::2], strict=True)
    return " ".join(f"{name}={value}" for name, value in pairs)


def _separator(instruction: Instruction, words: list[str]) -> str:
    if len(words) < 2:
        return " "
    joined = " ".join(words)
    becomes_json = joined.startswith("[") and joined.endswith("]")
    becomes_heredoc = "<<" in joined and not instruction.heredocs
    return _WIDE if becomes_json or becomes_heredoc else " "
