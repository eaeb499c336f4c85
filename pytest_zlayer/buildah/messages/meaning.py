"""What it means that a command of buildah has failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.lines import is_logged, last_line
from pytest_zlayer.buildah.messages.signatures import NOBODY_REMOVES, SIGNATURES
from pytest_zlayer.lazy import late_pattern

# buildah goes on in the last line of the command, if that has no end.
_STATUS = late_pattern(r"Error: (?:while running runtime: )?exit status (\d+)$")
_KILLED = late_pattern(r"(?:subprocess|container) exited on ([a-z /0-9]+)")
_NOT_STARTED = late_pattern(
    # chroot
    r"process failed to start with error: (.*?)(?:process exited with error.*)?$"
    # runc
    r"|unable to start container process: (exec: .*?)\"?$"
    # crun, started by us and by buildah
    r"|^(?:\d\S+Z: )?(executable file .* not found.*|open executable: .*)$"
    r"|creating container for \[.*\]: (executable file .* not found.*|open executable: .*)$"
)
# What unshare of util-linux 2.38 says instead of dying of the signal that ended its child.
_CHILD_OF_UNSHARE_DIED = late_pattern(r"^unshare: sigprocmask unblock failed")
# As Go spells them (syscall.Signal.String).
_SIGNALS = {
    "hangup": 1,
    "interrupt": 2,
    "quit": 3,
    "illegal instruction": 4,
    "trace/breakpoint trap": 5,
    "aborted": 6,
    "bus error": 7,
    "floating point exception": 8,
    "killed": 9,
    "user defined signal 1": 10,
    "segmentation fault": 11,
    "user defined signal 2": 12,
    "broken pipe": 13,
    "alarm clock": 14,
    "terminated": 15,
}
_PANIC = late_pattern(r"^goroutine \d+ \[|^panic: |^fatal error: ")


def classify(argv: Sequence[str], exit_code: int, stderr_tail: Sequence[str]) -> Failure:
    """What it means that this command of buildah ended so.

    ``stderr_tail`` are the last lines of its standard error. ``exit_code`` is negative when a
    signal ended buildah itself, as in ``subprocess``.
    """
    if exit_code < 0:
        return Failure(
            "crash", f"buildah was killed by signal {-exit_code}", "it may have run out of memory"
        )
    said = [line for line in stderr_tail if not is_logged(line)]
    if said and _CHILD_OF_UNSHARE_DIED.match(said[-1]):
        return Failure("crash", "buildah was killed by a signal", "it may have run out of memory")
    if exit_code == 2 and any(_PANIC.search(line) for line in said):
        return Failure("crash", f"buildah crashed: {_first_panic(said)}")
    if "run" in argv:
        failure = _of_run(exit_code, said)
        if failure is not None:
            return failure
    return _by_signature(exit_code, said, stderr_tail)


def image_gone(stderr: Sequence[str]) -> Failure | None:
    """The failure when the image that is not known was one of the store: an id says that."""
    found = re.search(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", stderr[-1]) if stderr else None
    if found is None:
        return None
    message = f"image {found[1]} is gone: something else has removed it from the container storage"
    return Failure("permanent", message, NOBODY_REMOVES)


def of_debug_log(stderr: Sequence[str]) -> Failure:
    """Why a command did nothing that ended as if all were well, from its log at level debug."""
    for line in reversed(stderr):
        for signature in SIGNATURES:
            if " err " in line and re.search(signature.pattern, line):
                detail = line.partition(" err ")[2].partition(" (&")[0].replace('\\"', '"')
                return Failure(signature.kind, f"{signature.message}: {detail}", signature.hint)
    return Failure("permanent", "nothing was pushed, and buildah did not say why")


def _first_panic(lines: Sequence[str]) -> str:
    return next((line for line in lines if line.startswith(("panic:", "fatal error:"))), lines[0])


def _of_run(exit_code: int, said: Sequence[str]) -> Failure | None:
    """How the command of a RUN ended, or ``None`` if buildah did not get that far."""
    last = _STATUS.search(said[-1]) if said else None
    if last is None or int(last[1]) != exit_code:
        return None
    text = "\n".join(said)
    if exit_code == 1:
        started = failed_start(said)
        if started is not None:
            return started
        killed = _KILLED.search(said[-3] if len(said) > 2 else "") or _KILLED.search(
            said[-2] if len(said) > 1 else ""
        )
        if killed and killed[1].strip() in _SIGNALS:
            number = _SIGNALS[killed[1].strip()]
            return Failure(
                "command",
                f"the command was killed by signal {number}",
                signal=number,
                exit_code=128 + number,
            )
        if "error running container:" in text:
            return None
    hint = "exit status 137 often means that memory ran out" if exit_code == 137 else None
    return Failure("command", f"the command ended with status {exit_code}", hint)


def failed_start(stderr_tail: Sequence[str]) -> Failure | None:
    """Why an OCI runtime could not start a command, if it is the fault of the command."""
    for line in stderr_tail[-5:]:
        found = _NOT_STARTED.search(line)
        if found is None:
            continue
        reason = next(part for part in found.groups() if part is not None)
        missing = "no such file" in reason or "not found" in reason
        return Failure(
            "command",
            f"the command could not be started: {reason.strip().rstrip('.')}",
            exit_code=127 if missing else 126,
        )
    return None


def _by_signature(exit_code: int, said: Sequence[str], everything: Sequence[str]) -> Failure:
    text = "\n".join(said)
    for signature in SIGNATURES:
        if re.search(signature.pattern, text):
            if signature.whole:
                return Failure(signature.kind, signature.message, signature.hint)
            detail = last_line(said)
            return Failure(signature.kind, f"{signature.message}: {detail}", signature.hint)
    detail = last_line(said) or last_line(everything)
    if detail:
        return Failure("permanent", detail)
    return Failure("permanent", f"buildah ended with status {exit_code} and said nothing")
