"""The regular expressions of the grammar, for either escape character."""

from __future__ import annotations

import re


class Patterns:
    """The grammar's regular expressions for one escape character."""

    def __init__(self, terminals: dict[str, str], escape: str) -> None:
        def compiled(name: str) -> re.Pattern[str]:
            return re.compile(terminals[name].replace("\\\\", escape if escape != "\\" else "\\\\"))

        self.escape = escape
        self.directive = re.compile(terminals["DIRECTIVE"])
        self.word = re.compile(terminals["WORD"])
        self.flag = compiled("FLAG")
        self.pair = compiled("PAIR")
        mark = re.escape(escape)
        self._escaped = re.compile(mark + r"([\s\S])")
        self._quoting = re.compile(
            rf"""{mark}([\s\S])|'((?:[^'{mark}]+|{mark}[\s\S])*)'?|"((?:[^"{mark}]+|{mark}[\s\S])*)"?"""
        )

    def unquote_flag(self, text: str) -> str:
        """A flag without its quotes and escape characters."""
        if "'" not in text and '"' not in text and self.escape not in text:
            return text
        return self._quoting.sub(self._plain, text)

    def _plain(self, found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        return self._escaped.sub(r"\1", found[2] if found[2] is not None else found[3])
