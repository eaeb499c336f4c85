"""HTML as text: escaped values, elements, and how states look."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from types import MappingProxyType

# Each state has a sign beside its colour: not everybody sees colours, and paper has none.
SIGNS: Mapping[str, str] = MappingProxyType(
    {
        "built": "✓",
        "run": "✓",
        "passed": "✓",
        "cached": "≡",
        "ready": "≡",
        "retried": "↻",
        "failed": "✗",
        "error": "✗",
        "skipped": "-",
        "stopped": "■",
    }
)


def escaped(text: object) -> str:
    """``text`` for an element or an attribute."""
    return html.escape(str(text), quote=True)


def element(name: str, *content: str, **attributes: object) -> str:
    """An element; ``content`` is HTML already, ``class_`` stands for ``class``."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{given}>{''.join(content)}</{name}>"


def badge(state: str, words: str) -> str:
    """A state as a sign and words."""
    shown = f"{SIGNS.get(state, '·')} {words}"
    return element("span", escaped(shown), class_=f"badge {state}")


def folded(summary: str, *content: str, opened: bool = False, **attributes: object) -> str:
    """Something that can be opened; what to print or to search is in it all the same."""
    head = element("summary", summary)
    return element("details", head, *content, open="open" if opened else None, **attributes)


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]], **more: object) -> str:
    """A table that scrolls by itself; cells are HTML already, the first ones head their rows."""
    top = "".join(element("th", escaped(head), scope="col") for head in heads)
    body = "".join(element("tr", *_cells(row)) for row in rows)
    made = element(
        "table",
        element("caption", escaped(caption)),
        element("thead", element("tr", top)),
        element("tbody", body),
        **more,
    )
    return element("div", made, class_="scroll")


def _cells(row: Iterable[str]) -> list[str]:
    first, *rest = row
    return [element("th", first, scope="row"), *(element("td", cell) for cell in rest)]
