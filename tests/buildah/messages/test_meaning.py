"""One test for each thing buildah says when it fails, as buildah 1.28 to 1.39 wrote it."""

from __future__ import annotations

import pytest

from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.meaning import classify, image_gone, of_debug_log

RUN = ["buildah", "run", "c", "--", "true"]
PULL = ["buildah", "pull", "x"]


def of_run(code: int, *stderr: str) -> Failure:
    return classify(RUN, code, stderr)


def test_status_of_the_command_under_chroot() -> None:
    said = ("subprocess exited with status 3", "subprocess exited with status 3")
    failure = of_run(3, *said, "Error: exit status 3")
    assert failure == Failure("command", "the command ended with status 3")


def test_status_of_the_command_under_a_runtime() -> None:
    failure = of_run(1, "Error: while running runtime: exit status 1")
    assert failure == Failure("command", "the command ended with status 1")


def test_status_of_a_command_whose_last_line_has_no_end() -> None:
    failure = of_run(3, "no endError: while running runtime: exit status 3")
    assert failure == Failure("command", "the command ended with status 3")


def test_status_125_of_the_command_is_not_buildahs() -> None:
    assert of_run(125, "Error: exit status 125").kind == "command"


def test_words_of_the_command_do_not_count() -> None:
    failure = of_run(1, "no space left on device", "connection refused", "Error: exit status 1")
    assert failure.kind == "command"


def test_status_137_has_a_hint() -> None:
    assert of_run(137, "Killed", "Error: exit status 137").hint == (
        "exit status 137 often means that memory ran out"
    )


@pytest.mark.parametrize(
    ("name", "number"), [("killed", 9), ("terminated", 15), ("segmentation fault", 11)]
)
def test_command_killed_under_chroot(name: str, number: int) -> None:
    said = (f"subprocess exited on {name}", "subprocess exited with status 1")
    failure = of_run(1, *said, "Error: exit status 1")
    assert failure == Failure(
        "command", f"the command was killed by signal {number}", None, number, 128 + number
    )


def test_command_killed_under_a_runtime() -> None:
    said = ("container exited on killed", "Error: while running runtime: exit status 1")
    assert of_run(1, *said).signal == 9


_RUNC = "error running container: from /usr/bin/runc creating container for [/nope]: "
_RUNC_LOG = 'time="2026-11-23T05:26:40Z" level=error msg="runc create failed: '
_RUNC_WARNING = 'time="2026-11-23T05:26:40Z" level=warning msg="unable to get oom kill count"'
_CRUN = "error running container: from /usr/bin/crun creating container for [/nope]: "
_CHROOT = "process failed to start with error: "
_CHROOT_END = "process exited with error: exec: not startedsubprocess exited with status 1"
_RUNTIME_END = (": exit status 1", "Error: while running runtime: exit status 1")
_UNABLE = "unable to start container process: "
NOT_STARTED = {
    "chroot, not there": (
        127,
        "fork/exec /nope: no such file or directory",
        f"{_CHROOT}fork/exec /nope: no such file or directory{_CHROOT_END}",
        "Error: exit status 1",
    ),
    "chroot, not executable": (
        126,
        "fork/exec /etc/passwd: permission denied",
        f"{_CHROOT}fork/exec /etc/passwd: permission denied{_CHROOT_END}",
        "Error: exit status 1",
    ),
    "runc, not there": (
        127,
        r"exec: \"/nope\": stat /nope: no such file or directory",
        rf'{_RUNC}{_RUNC_LOG}{_UNABLE}exec: \"/nope\": stat /nope: no such file or directory"',
        *_RUNTIME_END,
    ),
    "runc, not executable, with a warning": (
        126,
        r"exec: \"/etc\": permission denied",
        f"{_RUNC}{_RUNC_WARNING}",
        rf'{_RUNC_LOG}{_UNABLE}exec: \"/etc\": permission denied"',
        *_RUNTIME_END,
    ),
    "crun, not there": (
        127,
        "executable file `/nope` not found in $PATH: No such file or directory",
        f"{_CRUN}executable file `/nope` not found in $PATH: No such file or directory",
        *_RUNTIME_END,
    ),
}


@pytest.mark.parametrize("case", NOT_STARTED)
def test_command_that_cannot_be_started(case: str) -> None:
    code, reason, *stderr = NOT_STARTED[case]
    message = f"the command could not be started: {reason}"
    assert of_run(1, *map(str, stderr)) == Failure("command", message, exit_code=int(str(code)))


def test_panic_is_a_crash() -> None:
    said = ("panic: runtime error: invalid memory address", "", "goroutine 1 [running]:")
    assert classify(RUN, 2, said) == Failure(
        "crash", "buildah crashed: panic: runtime error: invalid memory address"
    )


def test_status_2_alone_is_no_crash() -> None:
    assert of_run(2, "Error: exit status 2").kind == "command"


def test_buildah_killed_is_a_crash() -> None:
    failure = classify(RUN, -9, ())
    assert failure.message == "buildah was killed by signal 9"
    assert failure.kind == "crash"


SIGNATURES = [
    ("environment", "the disk is full", "write /r/x: no space left on device"),
    (
        "environment",
        "the container storage is read-only",
        "open /r/storage.lock: read-only file system",
    ),
    (
        "environment",
        "buildah is not permitted to use its storage",
        "mkdir /var/lib/containers: permission denied",
    ),
    (
        "environment",
        "this user has no subordinate user ids",
        'exec: "newuidmap": executable file not found',
    ),
    ("permanent", "there is no such isolation", 'unrecognized isolation type "x"'),
    (
        "environment",
        "a configuration file in /etc/containers or ~/.config/containers cannot be read",
        "failed to get container config: decoding",
    ),
    (
        "environment",
        "a configuration file in /etc/containers or ~/.config/containers cannot be read",
        "failed to get default container config: reading system config: toml: line 2: expected '.'",
    ),
    (
        "environment",
        "the signature policy of containers is missing or broken",
        "open /etc/containers/policy.json: no such file or directory",
    ),
    (
        "environment",
        "the signature policy of containers is missing or broken",
        "obtaining default signature policy: x",
    ),
    (
        "permanent",
        "the signature policy rejects this image",
        "Source image rejected: Running image x is rejected by policy.",
    ),
    (
        "environment",
        "the registry credentials file cannot be read",
        "checking authfile: stat /a: no such file",
    ),
    ("environment", "the storage driver is not available", "driver not supported"),
    (
        "environment",
        "a layer in the container storage is damaged",
        "readlink /r/overlay/l/X: no such file or directory",
    ),
    (
        "environment",
        "a layer in the container storage is damaged",
        "The storage may be corrupted, consider podman system reset",
    ),
    (
        "environment",
        "a layer in the container storage is damaged",
        'locating item named "manifest" for image',
    ),
    (
        "permanent",
        "the image has more than the 128 layers the storage can mount",
        "max depth exceeded",
    ),
    (
        "permanent",
        "the image has more than the 128 layers the storage can mount",
        "mountfrom re-exec output: invalid argument: error: exit status 1",
    ),
    ("absent", "no such image there", "manifest unknown"),
    ("permanent", "the registry asks for a login", "unauthorized: authentication required"),
    (
        "permanent",
        "the registry denies access to this image",
        "requested access to the resource is denied: denied: x",
    ),
    (
        "permanent",
        "the registry asks to slow down",
        "toomanyrequests: You have reached your pull rate limit",
    ),
    (
        "transient",
        "the registry has an internal error",
        "received unexpected HTTP status: 503 Service Unavailable",
    ),
    (
        "transient",
        "the registry has an internal error",
        "uploading layer: 500 (Internal Server Error)",
    ),
    (
        "permanent",
        "the TLS connection to the registry failed",
        "http: server gave HTTP response to HTTPS client",
    ),
    (
        "transient",
        "the name of the registry cannot be resolved",
        "dial tcp: lookup r.example: no such host",
    ),
    (
        "transient",
        "the registry cannot be reached",
        "dial tcp 127.0.0.1:1: connect: connection refused",
    ),
    ("transient", "the connection to the registry was cut", "EOF"),
    ("transient", "the connection to the registry was cut", "happened during read: unexpected EOF"),
    (
        "transient",
        "a downloaded layer was damaged",
        "blob: digest sha256:0 does not match expected",
    ),
    (
        "permanent",
        "something other than a registry answered",
        "invalid character '<' looking for beginning of value",
    ),
    ("permanent", "the image name has no registry", 'short-name "x" did not resolve to an alias'),
    ("transient", "a layer disappeared while it was in use", "creating image: layer not known"),
    ("permanent", "no such image", "localhost/x: image not known"),
    ("permanent", "the image is in use by a container", "image is in use by a container: 1"),
    (
        "permanent",
        "that container name is in use",
        'the container name "x" is already in use by y: that name is already in use',
    ),
    ("permanent", "the image has no such user", "determining run uid: user: unknown user error"),
]


@pytest.mark.parametrize(("kind", "message", "said"), SIGNATURES)
def test_signature(kind: str, message: str, said: str) -> None:
    failure = classify(PULL, 125, [f"Error: {said}"])
    assert (failure.kind, failure.message) == (kind, f"{message}: {said}")


def test_missing_netavark_is_named_without_the_way_to_configure_it() -> None:
    said = 'Error: could not find "netavark" in one of [/usr/lib/podman].  To resolve this, set…'
    failure = classify(PULL, 125, [said])
    assert failure == Failure(
        "environment",
        "netavark, which this version of buildah needs for networks, is not installed",
        "install the package netavark",
    )


def test_runtime_that_cannot_use_the_cgroups() -> None:
    failure = of_run(
        1,
        "error running container: from /usr/bin/crun creating container for [/bin/true]: cgroups "
        "in hybrid mode not supported, drop all controllers from cgroupv2",
        ": exit status 1",
        "Error: while running runtime: exit status 1",
    )
    assert failure.kind == "environment"
    assert failure.hint == "use --zlayer-isolation chroot, or install runc"


def test_missing_runtime() -> None:
    failure = of_run(
        1,
        'error running container: from crun creating container for [/bin/true]: exec: "crun": '
        "executable file not found in $PATH",
        "Error: while running runtime: exit status 1",
    )
    assert failure.kind == "environment"


def test_anything_else_is_permanent_in_buildahs_own_words() -> None:
    assert classify(PULL, 125, ["Error: something new"]) == Failure("permanent", "something new")


def test_silence_is_reported() -> None:
    failure = classify(PULL, 125, [])
    assert failure == Failure("permanent", "buildah ended with status 125 and said nothing")


def test_warnings_are_not_reasons() -> None:
    warning = 'time="2026-11-23T04:54:59Z" level=warning msg="connection refused"'
    failure = classify(PULL, 125, [warning, "Error: something new"])
    assert failure == Failure("permanent", "something new")


def test_reason_of_a_silent_failure_stands_in_the_log() -> None:
    log = [
        'time="x" level=debug msg="GET https://127.0.0.1:1/v2/"',
        'time="x" level=debug msg="Ping https://h/v2/ err Get: connection refused (&url.Error{})"',
        'time="x" level=debug msg="shutting down the store"',
    ]
    assert of_debug_log(log) == Failure(
        "transient",
        "the registry cannot be reached: Get: connection refused",
    )


def test_silent_failure_without_a_reason() -> None:
    assert of_debug_log([]).message == "nothing was pushed, and buildah did not say why"


WRAPPED = [
    (
        (
            "initializing source docker://r.example/x:1: reading manifest 1 in r.example/x: "
            "manifest unknown: manifest unknown"
        ),
        "no such image there: manifest unknown: manifest unknown",
    ),
    (
        (
            'pushing image "localhost/a:1" to "docker://r.example/x:1": trying to reuse blob '
            "sha256:00 at destination: pinging container registry r.example: Get "
            '"https://r.example/v2/": dial tcp 127.0.0.1:1: connect: connection refused'
        ),
        "the registry cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused",
    ),
]


@pytest.mark.parametrize(("said", "message"), WRAPPED, ids=["pull", "push"])
def test_only_the_reason_of_a_transfer_is_reported(said: str, message: str) -> None:
    assert classify(PULL, 125, [f"Error: {said}"]).message == message


def test_buildah_killed_below_unshare_is_a_crash() -> None:
    found = of_run(1, "begun", "unshare: sigprocmask unblock failed: Invalid argument")
    assert (found.kind, found.message) == ("crash", "buildah was killed by a signal")


@pytest.mark.parametrize(
    "said",
    [
        (
            'Error: importing build settings from image "abc": instantiating image for '
            '"containers-storage:[overlay@/r+/rr]@abc" instance <nil>: unexpected end of JSON input'
        ),
        (
            "Error: reading image configuration for "
            '"containers-storage:[overlay@/r+/rr]@abc": Download config.json digest '
            "sha256:1 does not match expected sha256:2"
        ),
    ],
)
def test_image_with_damaged_records(said: str) -> None:
    found = classify(["from"], 125, [said])
    assert found.kind == "environment"
    assert found.message.startswith("an image in the container storage is damaged: ")
    assert found.hint == "remove it, or the whole storage, and build again"


@pytest.mark.parametrize(
    "said",
    [
        'reading build container "x": container not known',
        'mounting "x" container "x": saving updated state for build container "1": open /x',
    ],
)
def test_container_that_something_else_has_removed(said: str) -> None:
    failure = classify(["run"], 125, [f"Error: {said}"])
    assert failure.kind == "transient"
    assert failure.message == (
        "a working container is gone: something else has removed it from the container storage"
    )
    assert failure.hint is not None
    assert failure.hint.startswith("nothing else may remove containers or images")


def test_image_that_something_else_has_removed() -> None:
    failure = image_gone([f"Error: locating image: sha256:{'0a' * 32}: image not known"])
    assert failure is not None
    assert failure.message == (
        "image 0a0a0a0a0a0a is gone: something else has removed it from the container storage"
    )
    assert image_gone(["Error: localhost/none:1: image not known"]) is None
    assert image_gone([]) is None
