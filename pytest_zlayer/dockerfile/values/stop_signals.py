"""The signals STOPSIGNAL knows: Linux names and numbers."""

from __future__ import annotations

from pytest_zlayer.dockerfile.values.scalars import parse_integer

# Fixed rather than asked of the host: the image is for Linux wherever it is built.
_NAMES = frozenset({
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP",
    "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN",
    "RTMAX",
})  # fmt: skip
_REAL_TIME = frozenset(
    [f"RTMIN+{step}" for step in range(1, 16)] + [f"RTMAX-{step}" for step in range(1, 15)]
)


def check_signal(text: str) -> str:
    """``text`` itself if it is a number other than 0 or a signal's name (``SIG`` optional).

    Raises:
        ValueError: ``invalid signal: …``.
    """
    if not _is_signal(text):
        raise ValueError(f"invalid signal: {text}")
    return text


def _is_signal(text: str) -> bool:
    try:
        return parse_integer(text) != 0
    except ValueError:
        name = text.upper().removeprefix("SIG")
        return name in _NAMES or name in _REAL_TIME
