"""Which login a registry has refused: the file that holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_zlayer.buildah.failures import NO_LOGIN, Failure

_OPTION = "--authfile"
_TRANSPORT = "docker://"


def explain_login(failure: Failure, argv: Sequence[str], env: Mapping[str, str]) -> Failure:
    """The failure of a registry that wants a login, with the file of the one that it refused.

    Args:
        failure: what is known of it.
        argv: the command, which names the image and possibly a file of logins.
        env: its environment.
    """
    if not failure.message.startswith(NO_LOGIN):
        return failure
    registry = _registry(argv)
    for path in _files(argv, env):
        if registry and any(one.split("/")[0] == registry for one in _logins(path)):
            refused = f"the registry refused the login in {path}"
            hint = f"log in again with buildah login {registry}, or name another file of logins"
            return replace(
                failure,
                message=failure.message.replace(NO_LOGIN, refused),
                hint=f"{hint} with --zlayer-authfile",
            )
    return failure


def _registry(argv: Sequence[str]) -> str:
    """The registry of the image that a command is about, with its port."""
    names = [word.partition(_TRANSPORT)[2] for word in argv if _TRANSPORT in word]
    return (names or list(argv[-1:]) or [""])[-1].partition("/")[0]


def _files(argv: Sequence[str], env: Mapping[str, str]) -> Iterator[Path]:
    """Where buildah looks for logins, the first place first."""
    if _OPTION in argv[:-1]:
        yield Path(argv[argv.index(_OPTION) + 1])
    elif "REGISTRY_AUTH_FILE" in env:
        yield Path(env["REGISTRY_AUTH_FILE"])
    else:
        home = Path(env.get("HOME", "/"))
        runtime = env.get("XDG_RUNTIME_DIR")
        own = f"{runtime}/containers" if runtime else f"/run/containers/{os.geteuid()}"
        yield Path(own, "auth.json")
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
        yield Path(env.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _logins(path: Path) -> list[str]:
    """The registries, possibly with the beginning of a name, for which a file has a login."""
    try:
        return list(json.loads(path.read_bytes())["auths"])
    except (OSError, ValueError, LookupError, TypeError):
        return []
