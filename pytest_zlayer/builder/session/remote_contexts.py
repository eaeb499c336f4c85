"""Build contexts behind addresses: git repositories and URLs, each fetched once a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pytest_zlayer.builder.context.build_context import NotAnArchive, open_context
from pytest_zlayer.builder.context.fetch import Fetcher
from pytest_zlayer.builder.context.small_file import read_small
from pytest_zlayer.builder.context.sources import host_path, whole
from pytest_zlayer.builder.copy.remote import Fetched
from pytest_zlayer.builder.execute.mounts import read_secret
from pytest_zlayer.builder.model.errors import RemoteError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dockerfile.operations.kinds import SourceRef
from pytest_zlayer.dockerfile.values.credentials import redacted
from pytest_zlayer.dockerfile.values.remote_sources import short_name
from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.builder.context.git import Process
    from pytest_zlayer.builder.store.transfers import Transfers

# Secrets that authorize fetching: what one of them opens is not for declarations without it.
_AUTHORIZING = ("GIT_AUTH_", "HTTP_AUTH_")


def new_fetcher(
    spec: ImageSpec,
    directory: Path,
    *,
    process: Process,
    environment: Mapping[str, str],
    check: Callable[[], None] = go_on,
) -> Fetcher:
    """Gets addresses into a new directory, with the secrets of a declaration.

    ``check`` is called again and again; it raises when this is to stop.
    """
    origins = spec.secrets

    def secret(name: str) -> str | None:
        origin = origins.get(name)
        return None if origin is None else read_secret(name, origin, environment).decode()

    directory.mkdir()
    return Fetcher(directory, process=process, environment=environment, secret=secret, check=check)


class RemoteContexts:
    """The contexts of one session. Safe for several threads.

    Args:
        directory: private to the session; those of contexts are made in it.
        process: runs git (``Engine.process``).
        environment: for proxies and secrets.
        transfers: tries again what may pass.
    """

    def __init__(
        self,
        directory: Path,
        *,
        process: Process,
        environment: Mapping[str, str],
        transfers: Transfers,
    ) -> None:
        self._directory = directory
        self._process = process
        self._environment = environment
        self._transfers = transfers
        self._fetchers: dict[tuple[tuple[str, str], ...], Fetcher] = {}
        self._guard = Lock()

    def get(self, url: str, spec: ImageSpec, label: str) -> Path:
        """The directory, or the file, that an address leads to.

        Raises:
            RemoteError: it cannot be had.
            EngineMissing, EngineUnusable: there is no engine, under which git runs.
        """
        get, operation = self._fetcher(spec), whole(SourceRef("context"), url)
        fetched: Fetched = self._transfers.do(
            lambda _: get(url, operation), "fetch", redacted(url), label
        )
        return host_path(fetched.rootfs, fetched.place)

    def fetched(self, spec: ImageSpec) -> ImageSpec:
        """The declaration with its build context on this machine.

        Raises:
            RemoteError: it cannot be had.
            UsageError: it is neither an archive that can be read nor a Dockerfile, or its ignore
                file cannot be understood.
        """
        url = spec.context_url or ""
        try:
            path = self.get(url, spec, spec.name or short_name(url))
        except RemoteError as error:
            raise RemoteError(
                f"the build context cannot be fetched: {error.message}", hint=error.hint
            ) from error
        if _is_context(path, spec):
            return replace(spec, context=path)
        return replace(spec, text=_as_dockerfile(spec, path), dockerfile=None)

    def _fetcher(self, spec: ImageSpec) -> Fetcher:
        key = tuple(sorted(one for one in spec.secrets.items() if one[0].startswith(_AUTHORIZING)))
        with self._guard:
            if key not in self._fetchers:
                self._fetchers[key] = new_fetcher(
                    spec,
                    self._directory / f"contexts-{len(self._fetchers)}",
                    process=self._process,
                    environment=self._environment,
                )
            return self._fetchers[key]


def _is_context(path: Path, spec: ImageSpec) -> bool:
    try:
        open_context(path, spec.dockerfile, name=spec.context_name).close()
    except NotAnArchive:
        return False
    return True


def _as_dockerfile(spec: ImageSpec, path: Path) -> str:
    """What is no archive is the Dockerfile itself, as ``docker build`` takes it."""
    if spec.text is None and spec.dockerfile is None:
        try:
            return read_small(path).decode()
        except (ValueError, UsageError):  # no text, or too much of it
            pass
    raise UsageError(
        f"the build context {spec.context_name} is not a tar archive",
        hint="a URL leads to a tar archive or to a Dockerfile",
    )
