"""The environment buildah is started with: made up from a few variables, never inherited whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_zlayer.buildah.opening.locate import search_path

# What configures containers/storage, containers/image and containers/common.
_KEPT = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ",
    "STORAGE_DRIVER", "STORAGE_OPTS", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
    "REGISTRIES_CONFIG_PATH",
)  # fmt: skip
_KEPT_PREFIXES = ("XDG_", "CONTAINERS_", "_CONTAINERS_")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def engine_environment(
    environment: Mapping[str, str], tmpdir: Path, authfile: Path | None = None
) -> dict[str, str]:
    """For every buildah command. Proxies are not in it: buildah hands them to each RUN."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    if not _has_docker_logins(environment):
        kept.pop("DOCKER_CONFIG", None)
    kept["PATH"] = search_path(environment)
    kept["TMPDIR"] = str(tmpdir)
    if authfile is not None:
        kept["REGISTRY_AUTH_FILE"] = str(authfile)
    return kept


def _has_docker_logins(environment: Mapping[str, str]) -> bool:
    """Whether DOCKER_CONFIG names a directory with a file: without it buildah 1.28 does nothing.

    For docker such a directory is as good as one with an empty file.
    """
    return os.access(Path(environment.get("DOCKER_CONFIG", ""), "config.json"), os.F_OK)


# Where the other engines are that images are handed to.
_ENGINES = (
    "DOCKER_CONFIG", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
    "CONTAINER_HOST", "CONTAINER_CONNECTION",
)  # fmt: skip


def other_engines(environment: Mapping[str, str]) -> dict[str, str]:
    """What docker and podman are found by, for commands beside buildah."""
    return {name: environment[name] for name in _ENGINES if name in environment}


def proxy_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What commands that talk to a registry need on top."""
    return {name: value for name, value in environment.items() if name.lower() in _PROXIES}
