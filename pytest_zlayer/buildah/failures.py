"""What a failed command means: the only place that reads buildah's messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

FailureKind = Literal[
    "command", "transient", "absent", "permanent", "environment", "crash", "timeout", "interrupted"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed.

    Attributes:
        kind: ``command``: what a RUN ran ended with this status, buildah did its work.
            ``transient``: trying again may help. ``absent``: the registry has no such image.
            ``permanent``: trying again will not help. ``environment``:
            this machine has to be put right first. ``crash``: buildah itself broke down.
            ``timeout`` and ``interrupted``: ended by us.
        message: one sentence.
        hint: what to do about it, or ``None``.
        signal: the signal that ended the command of a RUN, or ``None``.
        exit_code: the status of the command of a RUN where it is not buildah's own.
    """

    kind: FailureKind
    message: str
    hint: str | None = None
    signal: int | None = None
    exit_code: int | None = None


# What becomes of the commands that were running when their agent was killed.
KILLED = Failure(
    "crash",
    "the process that runs buildah for this session was killed, and its commands with it",
    "it may have run out of memory",
)


@dataclass(frozen=True, slots=True)
class _Signature:
    kind: FailureKind
    pattern: str
    message: str
    hint: str | None = None
    # Whether the message says it all, and what buildah has said would only hide that.
    whole: bool = False


def _signature(
    kind: FailureKind, pattern: str, message: str, hint: str | None = None, *, whole: bool = False
) -> _Signature:
    return _Signature(kind, pattern, message, hint, whole)


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
# The lines buildah adds on its own account when the command of a RUN ends with a bad status.
_OWN_LINE = late_pattern(
    r"(?:Error: (?:while running runtime: )?exit status \d+"
    r"|subprocess exited with status \d+"
    r"|subprocess exited on [a-z /0-9]+"
    r"|container exited on [a-z /0-9]+"
    r"|unshare: sigprocmask unblock failed: .*)$"
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

_NOBODY_REMOVES = (
    "nothing else may remove containers or images of this storage while it is in use "
    "(buildah rm -a, rmi -a, podman system prune); --zlayer-root gives the run one of its own"
)

# Begins the message of a failure for want of a login.
NO_LOGIN = "the registry asks for a login"
_SIGNATURES = (
    _signature(
        "environment",
        r"no space left on device|disk quota exceeded",
        "the disk is full",
        "free space in the container storage and in TMPDIR",
    ),
    _signature(
        "environment",
        r"read-only file system",
        "the container storage is read-only",
        "choose another with --zlayer-root and --zlayer-runroot",
    ),
    _signature(
        "environment",
        r"(?:mkdir|open|chmod|chown|lstat) \S+: permission denied$"
        r"|(?:mkdir|open) \S+(?:lock|storage\S*): permission denied",
        "buildah is not permitted to use its storage",
        "run as root, or as a user with entries in /etc/subuid and /etc/subgid",
    ),
    _signature(
        "environment",
        r"cgroups? in hybrid mode not supported|cgroup\S* .*not (?:mounted|supported|found)",
        "the OCI runtime cannot use the control groups of this machine",
        "use --zlayer-isolation chroot, or install runc",
    ),
    _signature(
        "environment",
        r"executable file not found in \$PATH",
        "a program buildah needs is not installed",
        "install crun or runc, or use --zlayer-isolation chroot",
    ),
    _signature("permanent", r"unrecognized isolation type", "there is no such isolation"),
    _signature(
        "environment",
        r"(?:newuidmap|newgidmap)|no subuid ranges found|cannot find UID/GID for user"
        r"|error creating (?:new )?user namespace",
        "this user has no subordinate user ids",
        "add the user to /etc/subuid and /etc/subgid and install the package uidmap",
    ),
    _signature(
        "environment",
        # "container config" before buildah 1.39.
        r"failed to get (?:default )?container config|Failed to read .*toml"
        r"|reading .*storage\.conf",
        "a configuration file in /etc/containers or ~/.config/containers cannot be read",
    ),
    _signature(
        "environment",
        r"obtaining default signature policy|invalid policy in|open \S*policy\.json",
        "the signature policy of containers is missing or broken",
        "restore /etc/containers/policy.json",
    ),
    _signature("permanent", r"rejected by policy", "the signature policy rejects this image"),
    _signature(
        "environment",
        r"checking authfile|unmarshaling JSON at|unmarshaling JSON .*auth",
        "the registry credentials file cannot be read",
    ),
    _signature(
        "environment",
        r"driver not supported",
        "the storage driver is not available",
        "check the driver in storage.conf",
    ),
    _signature(
        "environment",
        r"containers-storage:\S+.* (?:unexpected end of JSON input|invalid character"
        r"|.*digest \S+ does not match)",
        "an image in the container storage is damaged",
        "remove it, or the whole storage, and build again",
    ),
    _signature(
        "environment",
        r"storage may be corrupted|layers\.json|overlay/\S+: no such file or directory"
        r"|recreating the missing symlinks|file integrity checksum failed|Digest did not match"
        r"|locating item named \"manifest\"",
        "a layer in the container storage is damaged",
        "remove the image that uses it, or the whole storage, and build again",
    ),
    _signature(
        "permanent",
        # The second is what the kernel makes of a list of layers that is too long for it.
        r"max depth exceeded|mountfrom re-exec output: invalid argument",
        "the image has more than the 128 layers the storage can mount",
        "squash it, or join RUN instructions",
    ),
    _signature("absent", r"manifest unknown|name unknown|NAME_UNKNOWN", "no such image there"),
    _signature(
        "permanent",
        r"unauthorized|authentication required|invalid username/password|\b401\b",
        NO_LOGIN,
        "log in with buildah login, or name a file of logins with --zlayer-authfile",
    ),
    _signature(
        "permanent", r"\bdenied: |\b403 \(?Forbidden", "the registry denies access to this image"
    ),
    # buildah has already paused five times by then, as long as the registry asked for or for a
    # minute: to go on would only use up more of the allowance.
    _signature(
        "permanent",
        r"toomanyrequests|too many requests to registry|429 \(?Too Many",
        "the registry asks to slow down",
        "log in for a larger allowance, wait, or use a mirror (registries.conf)",
    ),
    _signature(
        "permanent",
        r"no image found in (?:manifest list|image index) for",
        "there is no image for this platform",
    ),
    _signature(
        "transient",
        r"unexpected HTTP status: 5\d\d|\b5\d\d \(?(?:Internal|Bad Gateway|Service|Gateway)",
        "the registry has an internal error",
    ),
    _signature(
        "permanent",
        r"server gave HTTP response to HTTPS client|tls: |x509: ",
        "the registry does not speak the expected TLS",
        "check its certificate, or mark it insecure in registries.conf",
    ),
    _signature(
        "transient",
        r"no such host|Temporary failure in name resolution|server misbehaving",
        "the name of the registry cannot be resolved",
        "check the network and the spelling of the registry",
    ),
    _signature(
        "transient",
        r"connection refused|connection reset|network is unreachable|no route to host"
        r"|i/o timeout|TLS handshake timeout|Client\.Timeout",
        "the registry cannot be reached",
    ),
    _signature("transient", r"unexpected EOF|: EOF$", "the connection to the registry was cut"),
    _signature("transient", r"digest sha256:\S+ does not match", "a downloaded layer was damaged"),
    _signature(
        "permanent",
        r"invalid character '<' looking for|does not match provided manifest digest",
        "something other than a registry answered",
        "a proxy or login page may stand in between",
    ),
    _signature(
        "permanent",
        r"did not resolve to an alias",
        "the image name has no registry",
        "write it in full, or set --zlayer-registry",
    ),
    _signature(
        "transient",
        r"layer not known",
        "a layer disappeared while it was in use",
        "if this persists, the storage is damaged: remove the image, or the whole storage",
    ),
    _signature(
        "transient",
        r"container not known|saving updated state for build container",
        "a working container is gone: something else has removed it from the container storage",
        _NOBODY_REMOVES,
        whole=True,
    ),
    _signature("permanent", r"image not known|no such image|not found in local", "no such image"),
    _signature("permanent", r"image is in use|image used by", "the image is in use by a container"),
    _signature("permanent", r"name is already in use", "that container name is in use"),
    _signature("permanent", r"unknown user|unable to find user", "the image has no such user"),
    _signature("permanent", r"invalid reference format", "that is not an image name"),
)
_PANIC = late_pattern(r"^goroutine \d+ \[|^panic: |^fatal error: ")


def classify(argv: Sequence[str], exit_code: int, stderr_tail: Sequence[str]) -> Failure:
    """What it means that this command of buildah ended so.

    ``stderr_tail`` are the last lines of its standard error. ``exit_code`` is negative when a
    signal ended buildah itself, as in ``subprocess``.
    """
    if exit_code < 0:
        return Failure(
            "crash", f"buildah died of signal {-exit_code}", "it may have run out of memory"
        )
    said = [line for line in stderr_tail if not _is_logged(line)]
    if said and _CHILD_OF_UNSHARE_DIED.match(said[-1]):
        return Failure("crash", "buildah died of a signal", "it may have run out of memory")
    if exit_code == 2 and any(_PANIC.search(line) for line in said):
        return Failure("crash", f"buildah crashed: {_first_panic(said)}")
    if "run" in argv:
        failure = _of_run(exit_code, said)
        if failure is not None:
            return failure
    return _by_signature(exit_code, said, stderr_tail)


def disk_full(places: Sequence[str]) -> Failure:
    """The failure of a command when there is no space left at these places."""
    where = " and ".join(dict.fromkeys(places))
    return Failure(
        "environment", f"the disk is full: no space left in {where}", "free some space there"
    )


def disk_maybe_full(free: Mapping[str, int]) -> Failure:
    """The failure of a command that hides why it could not write; ``free`` are bytes by place."""
    left = ", ".join(f"{size // 1_000_000} MB in {place}" for place, size in free.items())
    return Failure(
        "environment",
        f"buildah could not write a layer, most likely because a disk was full; free now: {left}",
        "free some space: a commit needs twice the size of its layer in TMPDIR and once in the "
        "storage",
    )


def image_gone(stderr: Sequence[str]) -> Failure | None:
    """The failure when the image that is not known was one of the store: an id says that."""
    found = re.search(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", stderr[-1]) if stderr else None
    if found is None:
        return None
    message = f"image {found[1]} is gone: something else has removed it from the container storage"
    return Failure("permanent", message, _NOBODY_REMOVES)


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


def of_debug_log(stderr: Sequence[str]) -> Failure:
    """Why a command did nothing that ended as if all were well, from its log at level debug."""
    for line in reversed(stderr):
        for signature in _SIGNATURES:
            if " err " in line and re.search(signature.pattern, line):
                detail = line.partition(" err ")[2].partition(" (&")[0].replace('\\"', '"')
                return Failure(signature.kind, f"{signature.message}: {detail}", signature.hint)
    return Failure("permanent", "nothing was pushed, and buildah did not say why")


def says_in_use(stderr: Sequence[str]) -> bool:
    """Whether an image could not be removed because a container or image needs it."""
    return any("in use" in line or "dependent child images" in line for line in stderr)


def _is_logged(line: str) -> bool:
    found = _LOGGED.match(line)
    return found is not None and found[1] not in ("error", "fatal", "panic")


def _first_panic(lines: Sequence[str]) -> str:
    return next((line for line in lines if line.startswith(("panic:", "fatal error:"))), lines[0])


def _of_run(exit_code: int, said: Sequence[str]) -> Failure | None:
    """How the command of a RUN ended, or ``None`` if buildah did not get that far."""
    last = _STATUS.search(said[-1]) if said else None
    if last is None or int(last[1]) != exit_code:
        return None
    text = "\n".join(said)
    if exit_code == 1:
        started = _could_not_start(said)
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
    hint = "exit status 137 is what running out of memory looks like" if exit_code == 137 else None
    return Failure("command", f"the command ended with status {exit_code}", hint)


def failed_start(stderr_tail: Sequence[str]) -> Failure | None:
    """Why an OCI runtime could not start a command, if it is the fault of the command."""
    return _could_not_start(stderr_tail)


def _could_not_start(said: Sequence[str]) -> Failure | None:
    for line in said[-5:]:
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
    for signature in _SIGNATURES:
        if re.search(signature.pattern, text):
            if signature.whole:
                return Failure(signature.kind, signature.message, signature.hint)
            detail = _last_line(said)
            return Failure(signature.kind, f"{signature.message}: {detail}", signature.hint)
    detail = _last_line(said) or _last_line(everything)
    if detail:
        return Failure("permanent", detail)
    return Failure("permanent", f"buildah ended with status {exit_code} and said nothing")


def _last_line(lines: Sequence[str]) -> str:
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
