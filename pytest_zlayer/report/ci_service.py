"""The CI service of a job: which one it is, how text is shown that it takes no command from.

GitHub Actions reads commands from the lines of a job (``::error …::``, and ``##[…]`` anywhere in a
line); GitLab reads marks of sections. Text from builds must not be taken for any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pytest_zlayer.lazy import late_pattern

CIService = Literal["github", "gitlab"]
_COMMAND = late_pattern(r"^(\s*)::", re.MULTILINE)
# Shown as nothing, and no white space: what follows no longer begins a line.
_APART = "\u200b"


def service_of(environment: Mapping[str, str]) -> CIService | None:
    """The service whose job this is, by the variables it sets."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "gitlab" if environment.get("GITLAB_CI") == "true" else None


def harmless(text: str) -> str:
    """``text`` in which no service finds a command; it looks the same."""
    shown = _COMMAND.sub(rf"\1{_APART}::", text).replace("##[", f"#{_APART}#[")
    shown = re.sub(r"section_(start|end):", rf"section_\1{_APART}:", shown)
    return "".join(one for one in shown if one in "\t\n" or one == _APART or one.isprintable())
