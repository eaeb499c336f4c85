"""Git repositories as sources of ADD and as build contexts: checking them out."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.copy.remote import Fetched
from pytest_zlayer.builder.files.paths import follow, look
from pytest_zlayer.builder.model.errors import RemoteError
from pytest_zlayer.dockerfile.values.credentials import Address, redacted, split_credentials
from pytest_zlayer.dockerfile.values.remote_sources import GitSource
from pytest_zlayer.lazy import late_pattern

_HEX = late_pattern(r"[0-9a-f]+")
# Nothing may ask a question, and no hook or configuration of the user's template may run.
_GIT_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_TEMPLATE_DIR": "",
    "LC_ALL": "C",
}
_TRANSIENT = late_pattern(
    r"Could not resolve host|Connection (?:timed out|refused|reset)|early EOF|"
    r"unexpected disconnect|RPC failed|returned error: (?:429|5\d\d)|Operation timed out"
)


class Ended(Protocol):
    """How a program ended."""

    @property
    def exit_code(self) -> int: ...
    @property
    def stdout_tail(self) -> Sequence[str]: ...
    @property
    def stderr_tail(self) -> Sequence[str]: ...


class Process(Protocol):
    """Runs a program to its end."""

    def __call__(
        self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Ended: ...


class GitError(RemoteError):
    """A git source could not be had."""


def basic(credentials: str) -> str:
    """The header ``Authorization`` for ``name:password``."""
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def git_authorization(address: Address, secret: Callable[[str], str | None]) -> str | None:
    """The header for a repository: from its secrets, else from what stands in its address."""
    for suffix in (f".{address.host}", ""):
        header = secret(f"GIT_AUTH_HEADER{suffix}")
        if header is not None:
            return header.strip()
        token = secret(f"GIT_AUTH_TOKEN{suffix}")
        if token is not None:
            return basic(f"x-access-token:{token.strip()}")
    return basic(address.credentials) if address.credentials is not None else None


def check_out(
    source: GitSource,
    directory: Path,
    process: Process,
    secret: Callable[[str], str | None] = lambda _: None,
) -> Fetched:
    """Check the source out below the empty ``directory``; ``secret`` gives one by its id.

    Raises:
        GitError: git failed, or the commit is not the one asked for.
    """
    address = split_credentials(source.remote)
    authorization = None
    if address.url.lower().startswith(("http://", "https://")):
        authorization = git_authorization(address, secret)
    plain = replace(source, remote=address.url)
    checkout = _Checkout(plain, directory / "tree", process, authorization)
    checkout.fetch()
    commit = checkout.verified_commit()
    if source.submodules is not False:
        checkout.submodules()
    time = int(checkout.git("log", "-1", "--format=%ct")[0])
    if not source.keep_git_dir:
        for path in list(_git_directories(checkout.tree)):
            _remove(path)
    rootfs = LocalRootfs(checkout.tree)
    place = follow(lambda path: look(rootfs, path), f"/{source.subdir}")
    entry = look(rootfs, place)
    if entry is None or entry.kind != "directory":
        raise GitError(
            f"{source.subdir}: no such directory in {redacted(source.remote)} at {commit}"
        )
    mtime = time if source.mtime == "commit" else 0
    return Fetched(rootfs, place, True, mtime_ns=mtime * 10**9, time=time)


class _Checkout:
    def __init__(
        self, source: GitSource, tree: Path, process: Process, authorization: str | None
    ) -> None:
        self.tree = tree
        self._environment = dict(_GIT_ENVIRONMENT)
        if authorization is not None:
            # Neither git's command line nor that of the programs it starts holds it, nor a file.
            server = urlunsplit((*urlsplit(source.remote)[:2], "/", "", ""))
            setting = f"http.{server}.extraheader=Authorization: {authorization}"
            self._environment["GIT_CONFIG_PARAMETERS"] = shlex.quote(setting)
        self._source = source
        self._process = process

    def git(self, *arguments: str) -> list[str]:
        """The output of git in the work tree.

        Raises:
            GitError: it failed.
        """
        ended = self._process(
            ("git", "-C", str(self.tree), "-c", "protocol.file.allow=never", *arguments),
            env=self._environment,
        )
        if ended.exit_code:
            said = redacted("\n".join(ended.stderr_tail[-10:]).strip())
            raise GitError(
                f"git {arguments[0]} failed for {redacted(self._source.remote)}: {said}",
                transient=_TRANSIENT.search(said) is not None,
            )
        return list(ended.stdout_tail)

    def fetch(self) -> None:
        """Get the reference, as little around it as the server can give, and check it out."""
        self.tree.mkdir()
        self.git("init", "--quiet")
        self.git("remote", "add", "origin", "--", self._source.remote)
        ref = self._source.ref or "HEAD"
        if ref.startswith("-"):
            raise GitError(f'invalid git ref "{ref}"')
        try:
            self.git("fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin", ref)
            wanted = "FETCH_HEAD"
        except GitError as error:
            if error.transient:
                raise
            wanted = self._fetch_all(ref)
        self.git("checkout", "--quiet", "--force", "--detach", wanted)

    def _fetch_all(self, ref: str) -> str:
        """For servers that give neither parts of a history nor commits that have no name."""
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        if _HEX.fullmatch(ref):
            self.git("fetch", "--quiet", "--", "origin", *refs)
            return ref
        self.git("fetch", "--quiet", "--no-tags", "--", "origin", ref)
        return "FETCH_HEAD"

    def verified_commit(self) -> str:
        """The commit checked out.

        Raises:
            GitError: it is not the one asked for.
        """
        commit = self._object("HEAD")
        wanted = self._source.checksum
        if not commit.startswith(wanted) and not self._object("FETCH_HEAD").startswith(wanted):
            raise GitError(f"expected checksum to match {wanted}, got {commit}")
        return commit

    def _object(self, name: str) -> str:
        """What a name stands for; of what was fetched that may be a tag with a message."""
        return self.git("rev-parse", name)[-1].strip()

    def submodules(self) -> None:
        if (self.tree / ".gitmodules").is_file():
            self.git("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")


def _git_directories(tree: Path) -> Iterator[Path]:
    for parent, directories, files in os.walk(tree):
        if ".git" in directories or ".git" in files:
            yield Path(parent, ".git")
        if ".git" in directories:
            directories.remove(".git")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
