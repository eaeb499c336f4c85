"""Setting up the namespaces of one RUN, just before buildah takes over the process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import stat
import struct
import sys
from collections.abc import Sequence

from .system_calls import system_call

# The variable that carries what to prepare. It is gone before buildah starts; the environment of
# a process can only be read by its own user, the command line by everybody.
PREPARATION = "ZLAYER_PREPARE"

_CLONE_NEWNS = 0x00020000
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
# Where buildah keeps the content of VOLUMEs between two RUNs of one container.
_VOLUMES = "buildah-volumes"


def prepare(argv: Sequence[str]) -> int:
    """Does what :data:`PREPARATION` says, then becomes ``argv``.

    ``loopback``: bring up the loopback interface of the network namespace we are in.
    ``environment`` and ``directory``: let buildah find these variables in the configuration of
    the container, for this process only.
    ``file``: make this file if it is not there, with the directory it lies in.
    """
    wanted = json.loads(os.environ.pop(PREPARATION))
    try:
        if wanted.get("loopback"):
            _raise_loopback()
        if wanted.get("environment"):
            _privately(wanted["directory"], wanted["environment"])
        if wanted.get("file"):
            _make_file(wanted["file"])
        os.execvp(argv[0], list(argv))  # noqa: S606 (the point)
    except OSError as error:
        sys.stderr.write(f"Error: preparing the namespaces of a RUN: {error}\n")
    return 125


def _make_file(path: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(os.path.dirname(path), 0o755)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        found = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sh14x", found)[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _privately(directory: str, environment: dict[str, str]) -> None:
    """Covers the container's directory with one in memory that only this process sees.

    buildah 1.28 takes variables from the command line or from the container's configuration,
    which it also saves after a RUN. The copy vanishes with our mount namespace.
    """
    os.makedirs(os.path.join(directory, _VOLUMES), mode=0o700, exist_ok=True)
    system_call("unshare", _CLONE_NEWNS)
    _mount("none", "/", _MS_REC | _MS_PRIVATE)
    files: dict[str, bytes] = {}
    folders: dict[str, int] = {}
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            folders[name] = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                files[name] = file.read()
    _mount("tmpfs", directory, 0, kind="tmpfs", data="mode=0700")
    files["buildah.json"] = _with_environment(files["buildah.json"], environment)
    for name, content in files.items():
        target = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(target, "wb") as file:
            file.write(content)
    for name, descriptor in folders.items():
        os.mkdir(os.path.join(directory, name))
        source = f"/proc/self/fd/{descriptor}"
        _mount(source, os.path.join(directory, name), _MS_BIND | _MS_REC)


def _with_environment(document: bytes, environment: dict[str, str]) -> bytes:
    builder = json.loads(document)
    added = [f"{name}={value}" for name, value in environment.items()]
    for image in ("ociv1", "docker"):
        config = builder.get(image, {}).get("config")
        if config is None:
            config = builder.setdefault(image, {})["config"] = {}
        kept = [
            variable
            for variable in config.get("Env") or ()
            if variable.partition("=")[0] not in environment
        ]
        config["Env"] = kept + added
    return json.dumps(builder).encode("utf-8")


def _mount(source: str, target: str, flags: int, *, kind: str = "", data: str = "") -> None:
    system_call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data else None,
        about=f"mount {target}",
    )
