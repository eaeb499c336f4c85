"""Getting the remote sources of ADD: downloads over http(s) and git checkouts."""

from __future__ import annotations

import hashlib
import http.client
import os
import posixpath
import tempfile
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.context.git import Process, basic, check_out
from pytest_zlayer.builder.copy.remote import Fetched, remote_kind
from pytest_zlayer.builder.files.room import lacks_room
from pytest_zlayer.builder.model.errors import CopyError, RemoteError
from pytest_zlayer.builder.stopping import Interrupted, go_on
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from pytest_zlayer.dockerfile.values.credentials import redacted, split_credentials
from pytest_zlayer.dockerfile.values.remote_sources import parse_git_source
from pytest_zlayer.dockerfile.values.scalars import number_of
from pytest_zlayer.waiting import LONGEST, held, in_background

UNNAMED = "__unnamed__"
_CHUNK = 1 << 20
# Of a size in bytes that is worth reading.
_MOST_DIGITS = 20
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


Secret = Callable[[str], str | None]


def _no_secret(_: str) -> None:
    return None


class FetchError(RemoteError):
    """A URL could not be had."""


class Fetcher:
    """Gets each remote source once, into a directory of its own.

    Args:
        directory: where files go; they are needed until the layer is written.
        process: runs git (``Engine.process``).
        environment: for proxies.
        timeout: seconds without an answer after which a download is given up.
        secret: the secret of an id, ``None`` without one (``HTTP_AUTH_TOKEN_<host>``…).
        check: called again and again; raises when this is to stop.
    """

    def __init__(
        self,
        directory: Path,
        *,
        process: Process,
        environment: Mapping[str, str],
        timeout: float = 60.0,
        secret: Secret = _no_secret,
        check: Callable[[], None] = go_on,
    ) -> None:
        self._check = check
        self._secret = secret
        self._directory = directory
        self._process = process
        self._environment = environment
        self._timeout = timeout
        self._lock = Lock()
        self._locks: dict[tuple[object, ...], Lock] = {}
        self._done: dict[tuple[object, ...], Fetched] = {}

    def __call__(self, source: str, operation: CopyOperation) -> Fetched:
        """The files that ``source`` names.

        Raises:
            FetchError: it cannot be had, or is not what ``--checksum`` says.
        """
        key = (source, operation.checksum, operation.keep_git_dir)
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with held(lock):
            if key not in self._done:
                self._done[key] = self._fetch(source, operation)
            return self._done[key]

    def _fetch(self, source: str, operation: CopyOperation) -> Fetched:
        self._directory.mkdir(parents=True, exist_ok=True)
        if remote_kind(source) == "http":
            return self._download(source, operation.checksum)
        try:
            git = parse_git_source(source)
            if git is None:
                raise CopyError(f"invalid git reference: {source}")
            git = git.with_flags(operation.checksum, operation.keep_git_dir)
        except ValueError as problem:
            raise CopyError(str(problem)) from problem
        directory = Path(tempfile.mkdtemp(dir=self._directory, prefix="git-"))
        return check_out(git, directory, self._process, self._secret)

    def _download(self, url: str, checksum: str | None) -> Fetched:
        """In a thread of its own: a server that says nothing must not delay the end of a run."""
        given_up: list[bool] = []

        def check() -> None:
            if given_up:
                raise Interrupted
            self._check()

        work = partial(
            download,
            url,
            self._directory,
            checksum=checksum,
            environment=self._environment,
            timeout=self._timeout,
            authorization=http_authorization(url, self._secret),
            check=check,
        )
        try:
            coming = in_background(work, "zlayer-download")
            while not coming.wait(LONGEST):
                self._check()
            return coming.result()
        finally:
            given_up.append(True)


def http_authorization(url: str, secret: Secret) -> str | None:
    """The header for an address: from the secrets of its host, else from what stands in it."""
    address = split_credentials(url)
    # BuildKit knows the host without its port only, and a token before a header.
    for host in dict.fromkeys((address.host, urlsplit(address.url).hostname)):
        token = secret(f"HTTP_AUTH_TOKEN_{host}")
        if token is not None:
            return f"Bearer {token.strip()}"
        header = secret(f"HTTP_AUTH_HEADER_{host}")
        if header is not None:
            return header.strip()
    return basic(address.credentials) if address.credentials is not None else None


def file_name(url: str) -> str:
    """What a downloaded file is called: the last name of the URL's path."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return UNNAMED
    name = posixpath.basename(path.rstrip("/"))
    return UNNAMED if name in ("", ".", "..") or "\0" in name else name


def download(
    url: str,
    directory: Path,
    *,
    checksum: str | None = None,
    environment: Mapping[str, str],
    timeout: float = 60.0,
    authorization: str | None = None,
    check: Callable[[], None] = go_on,
) -> Fetched:
    """Download a file into ``directory``; its time is the server's ``Last-Modified``, else 1970.

    Args:
        checksum: ``sha256:…`` (or sha384, sha512) that the content must have.
        environment: for ``http_proxy``, ``https_proxy``.
        timeout: seconds without an answer.
        authorization: the header of this name; no other host gets it after a redirection.
        check: called again and again; raises when this is to stop.

    Raises:
        FetchError: no such file, no answer, cut off, larger than the disk, or not what
            ``checksum`` says.
    """
    algorithm, _, expected = (checksum or "sha256:").partition(":")
    shown = redacted(url)
    request = Request(split_credentials(url).url)  # noqa: S310 - the opener knows no other scheme
    if authorization is not None:
        request.add_unredirected_header("Authorization", authorization)
    try:
        with _opener(environment).open(request, timeout=timeout) as response:
            _refuse_too_big(response, directory, shown)
            place, found = _store(response, directory, algorithm, check)
            modified = response.headers.get("Last-Modified")
    except HTTPError as error:
        error.close()
        raise FetchError(
            f"{shown}: invalid response status {error.code}",
            transient=error.code in _RETRIED_STATUS,
        ) from error
    except (URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise FetchError(f"{shown}: {_reason(error)}", transient=_may_pass(error)) from error
    if expected and found != expected:
        raise FetchError(f"digest mismatch for {shown}: {algorithm}:{found} (expected: {checksum})")
    time = _seconds(modified)
    return Fetched(
        LocalRootfs(directory),
        f"/{place.name}",
        False,
        file_name(url),
        mtime_ns=(time or 0) * 10**9,
        time=time,
    )


def _opener(environment: Mapping[str, str]) -> OpenerDirector:
    """An opener that knows http and https only, so that no redirection leads to local files."""
    proxies = {
        scheme: value
        for scheme in ("http", "https")
        if (value := environment.get(f"{scheme}_proxy") or environment.get(_upper(scheme)))
    }
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(proxies),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "pytest-zlayer")]
    return opener


def _upper(scheme: str) -> str:
    return f"{scheme}_proxy".upper()


def _refuse_too_big(response: Any, directory: Path, shown: str) -> None:
    announced = response.headers.get("Content-Length", "")
    size = int(announced[:_MOST_DIGITS]) if announced.isascii() and announced.isdigit() else 0
    problem = lacks_room(shown, size, directory)
    if problem is not None:
        raise FetchError(problem, hint="set TMPDIR to a directory on a larger disk")


def _store(
    response: Any, directory: Path, algorithm: str, check: Callable[[], None]
) -> tuple[Path, str]:
    descriptor, name = tempfile.mkstemp(dir=directory, prefix="download-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            return Path(name), _receive(response, file, algorithm, check)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _receive(response: Any, file: BinaryIO, algorithm: str, check: Callable[[], None]) -> str:
    """Write the body into ``file``; its digest in hexadecimal."""
    summary = hashlib.new(algorithm)
    size = 0
    # As soon as anything has come: a slow server must not delay the end of a run.
    while chunk := response.read1(_CHUNK):
        check()
        summary.update(chunk)
        size += len(chunk)
        file.write(chunk)
    announced = number_of(response.headers.get("Content-Length", ""))
    if announced is not None and announced != size:  # http.client tells only when asked for all
        raise http.client.IncompleteRead(b"", announced - size)
    return summary.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was cut in the middle"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, URLError):
        inner = error.reason
        return _reason(inner) if isinstance(inner, Exception) else str(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, ValueError)


def _seconds(modified: str | None) -> int | None:
    try:
        moment = parsedate_to_datetime(modified or "")
    except (TypeError, ValueError):
        return None
    return int(moment.timestamp())
