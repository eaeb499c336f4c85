"""What single lines say that buildah has written."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_zlayer.lazy import late_pattern

_LOGGED = late_pattern(r'^time="[^"]*" level=(\w+) msg=')
_LOG_MESSAGE = late_pattern(r'level=\w+ msg="((?:[^"\\]|\\.)*)"')
_OWN_RETRY = late_pattern(
    r'level=warning msg="Failed, retrying in .*?\(\d+/\d+\)\. Error: ((?:[^"\\]|\\.)*)"'
)
# What a transfer wraps around the reason; the error says itself what was pulled or pushed.
_WRAPPING = late_pattern(
    r"(?:(?:initializing source|initializing image from source) docker://\S+: "
    r"|reading manifest \S+ in \S+: |pinging container registry \S+: "
    r"|(?:Get|Head|Post|Put|Patch) \"[^\"]*\": |pushing image \"[^\"]*\" to \"[^\"]*\": "
    r"|copying image \d+/\d+ from manifest list: |trying to reuse blob \S+ at destination: "
    r"|setting up to read manifest and configuration from \"[^\"]*\": "
    r"|writing (?:blob|manifest): |copying system image from manifest list: "
    r"|choosing an? image from (?:manifest list|image index) \S+: "
    r"|parsing image configuration: |fetching target platform image selected from image index: )+"
)
_EMPTY_END = late_pattern(r"^: exit status \d+$")
# The lines buildah adds on its own account when the command of a RUN ends with a bad status.
_OWN_LINE = late_pattern(
    r"(?:Error: (?:while running runtime: )?exit status \d+"
    r"|Error: while running runtime: signal: [a-z /0-9]+"
    r"|subprocess exited with status \d+"
    r"|subprocess exited on [a-z /0-9]+"
    r"|container exited on [a-z /0-9]+"
    r"|unshare: sigprocmask unblock failed: .*)$"
)


def own_words(line: str) -> int | None:
    """Where in a line buildah, not the command it ran, may have begun to write, to end a RUN."""
    found = _OWN_LINE.search(line)
    return None if found is None else found.start()


def log_errors(stderr: Sequence[str]) -> list[str]:
    """Lines that report an error although the exit status says nothing of it."""
    return [line for line in stderr if (m := _LOGGED.match(line)) and m[1] in ("error", "fatal")]


def own_retry(line: str) -> str | None:
    """Why buildah is about to try again on its own account, if that is what this line says."""
    found = _OWN_RETRY.search(line)
    return found[1].replace('\\"', '"') if found else None


def says_not_known(stderr: Sequence[str]) -> bool:
    """Whether what was to be removed or read is not there."""
    return any("not known" in line or "no such image" in line for line in stderr)


def says_broken_pipe(stderr: Sequence[str]) -> bool:
    """Whether a part of buildah ended before another one, which hides what was wrong with it."""
    return any("io: read/write on closed pipe" in line for line in stderr[-3:])


def says_is_list(stderr: Sequence[str]) -> bool:
    """Whether what was to be removed is a manifest list, which 1.28 has another command for."""
    return any("tag not known" in line for line in stderr)


def says_has_names(stderr: Sequence[str]) -> bool:
    """Whether an image could not be removed by its id because it has several names."""
    return any("with more than one tag" in line for line in stderr)


def says_in_use(stderr: Sequence[str]) -> bool:
    """Whether an image could not be removed because a container or image needs it."""
    return any("in use" in line or "dependent child images" in line for line in stderr)


def is_logged(line: str) -> bool:
    """Whether a line is of buildah's log, and reports no error."""
    found = _LOGGED.match(line)
    return found is not None and found[1] not in ("error", "fatal", "panic")


def last_line(lines: Sequence[str]) -> str:
    """The last line with a reason in it, without what is wrapped around the reason."""
    for line in reversed(lines):
        reason = line.strip()
        if not reason or _OWN_LINE.match(reason) or _EMPTY_END.match(reason):
            continue
        logged = _LOG_MESSAGE.search(reason)
        if logged and reason.startswith("time="):
            return logged[1].replace('\\"', '"')
        reason = reason.removeprefix("Error: ")
        return _WRAPPING.sub("", reason, count=1) if _WRAPPING.match(reason) else reason
    return ""
