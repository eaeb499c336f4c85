"""Which names of variables stand for a secret, by the rule of BuildKit's build checks."""

from __future__ import annotations

import re

from pytest_zlayer.lazy import late_pattern

_SECRET = late_pattern(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)",
    re.IGNORECASE | re.ASCII,
)
_PUBLIC = late_pattern(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE | re.ASCII)


def looks_secret(name: str) -> bool:
    """Whether the value of a variable of this name should be seen by nobody."""
    return _SECRET.search(name) is not None and _PUBLIC.search(name) is None
