"""Sources that are not paths: git references and URLs, and the checksums they may carry."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.scalars import parse_bool
from pytest_zlayer.lazy import late_pattern

_PROTOCOL = late_pattern(r"([a-zA-Z0-9]+)://")
_SCP = late_pattern(r"([a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:.*?)(?:\?(.*?))?(?:#(.*))?")
_SWITCHES = frozenset({"submodules", "keep-git-dir", "fetch-by-commit"})
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = late_pattern(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX = late_pattern(r"[a-f0-9]+")
_COMMIT = late_pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GitSource:
    """A git reference: ``REMOTE[?key=value&…][#ref[:subdir]]``, and what flags of ADD add to it.

    Attributes:
        remote: what ``git fetch`` is given.
        ref: branch, tag or commit; ``""``: the default branch.
        subdir: directory inside the repository; ``""``: all of it.
        checksum: how the commit that must be found begins, or ``""``.
        keep_git_dir: whether ``.git`` stays; ``None`` when that is not said.
        submodules: whether submodules are checked out too; ``None`` when that is not said.
        mtime: files have the time of the ``checkout`` or of the ``commit``; ``""``: not said.
        fetch_by_commit: whether the commit is fetched whatever the ref says.
    """

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    mtime: str = ""
    fetch_by_commit: bool = False

    def with_flags(self, checksum: str | None, keep_git_dir: bool | None) -> GitSource:
        """With ``--checksum`` and ``--keep-git-dir`` of ADD, which must not contradict it.

        A commit that the reference names is its ``ref`` then, unless it has another one that the
        commit has to be the last of.

        Raises:
            ValueError: BuildKit's message.
        """
        kept = (self.keep_git_dir, keep_git_dir)
        if None not in kept and kept[0] != kept[1]:
            raise ValueError("inconsistent keep-git-dir configuration")
        if checksum and self.checksum and checksum != self.checksum:
            raise ValueError(f"checksum mismatch {go_quote(checksum)} != {go_quote(self.checksum)}")
        wanted = self.checksum or checksum or ""
        if wanted and not _HEX.fullmatch(wanted):
            raise ValueError(f"invalid checksum {wanted} for Git URL, expected hex commit hash")
        if self.fetch_by_commit and not _COMMIT.fullmatch(self.ref):
            _check_fetch_by_commit(wanted)
        keep = keep_git_dir if self.keep_git_dir is None else self.keep_git_dir
        ref = wanted if self.fetch_by_commit else self.ref or self.checksum
        return replace(self, ref=ref or self.ref, checksum=wanted, keep_git_dir=keep)


def _check_fetch_by_commit(checksum: str) -> None:
    if not checksum:
        raise ValueError("fetch-by-commit requires a checksum or a commit SHA ref")
    if not _COMMIT.fullmatch(checksum):
        raise ValueError(
            f"fetch-by-commit requires a full commit SHA checksum, got {go_quote(checksum)}"
        )


def is_url(text: str) -> bool:
    """Whether ADD downloads ``text`` as one file."""
    return text.startswith(("http://", "https://")) and not is_git(text)


def is_remote(text: str) -> bool:
    """Whether a build context lies behind this address: a git repository or a URL.

    Raises:
        ValueError: it is a git reference that is malformed (BuildKit's message).
    """
    return parse_git_source(text) is not None or is_url(text)


def short_name(address: str) -> str:
    """The last name of an address without what git adds: ``https://x/api.git#main`` is ``api``."""
    remote = urlunsplit((*urlsplit(address)[:3], "", ""))
    name = posixpath.basename(remote.rstrip("/").rpartition(":")[2])
    return unquote(name).removesuffix(".git") or "remote"


def is_git(text: str) -> bool:
    """Whether ADD clones ``text``."""
    try:
        return parse_git_source(text) is not None
    except ValueError:
        return False


def parse_git_source(text: str) -> GitSource | None:
    """The git reference that ``text`` is, or ``None`` for anything else (a path, a URL).

    Raises:
        ValueError: it is one and its query is wrong (BuildKit's message).
    """
    protocol = _PROTOCOL.match(text)
    if protocol is None:
        return _from_scp(text)
    if protocol[1].lower() not in ("http", "https", "ssh", "git"):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme in ("http", "https") and not unquote(parts.path).endswith(".git"):
        return None
    remote = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return _with_options(remote, unquote(parts.fragment), parts.query)


def _from_scp(text: str) -> GitSource | None:
    match = _SCP.fullmatch(text)
    if match is None:
        return None
    return _with_options(match[1], match[3] or "", match[2] or "")


def _with_options(remote: str, fragment: str, query: str) -> GitSource:
    ref, _, subdir = fragment.partition(":")
    subdir = posixpath.normpath("/" + subdir).lstrip("/")
    found = GitSource(remote, ref, subdir)
    values = parse_qs(query, keep_blank_values=True)
    names: dict[str, str] = {}
    for key, given in values.items():
        value = _only(key, given)
        if key in ("tag", "branch"):
            names[key] = value
        else:
            found = _with_option(found, key, value)
    return _with_name(found, names)


def _only(key: str, given: list[str]) -> str:
    if len(given) > 1:
        raise ValueError(f"query {go_quote(key)} has multiple values")
    if not given[0] and key not in _SWITCHES:
        raise ValueError(f"query {go_quote(key)} has no value")
    return given[0]


def _with_option(found: GitSource, key: str, value: str) -> GitSource:
    match key:
        case "ref":
            return replace(found, ref=_same("ref", found.ref, value))
        case "subdir":
            return replace(found, subdir=_same("subdir", found.subdir, value))
        case "checksum" | "commit":
            return replace(found, checksum=value)
        case "keep-git-dir":
            return replace(found, keep_git_dir=_switch(key, value))
        case "submodules":
            return replace(found, submodules=_switch(key, value))
        case "fetch-by-commit":
            return replace(found, fetch_by_commit=_switch(key, value))
        case "mtime":
            return replace(found, mtime=_mtime(value))
        case _:
            raise ValueError(f"unexpected query {go_quote(key)}")


def _same(what: str, old: str, new: str) -> str:
    if old and old != new:
        raise ValueError(f"{what} conflicts: {go_quote(old)} vs {go_quote(new)}")
    return new


def _switch(key: str, value: str) -> bool:
    try:
        return parse_bool(value) if value else True
    except ValueError:
        raise ValueError(f"invalid {key} value: {go_quote(value)}") from None


def _mtime(value: str) -> str:
    if value not in ("checkout", "commit"):
        raise ValueError(f'invalid mtime value: {go_quote(value)} (must be "checkout" or "commit")')
    return value


def _with_name(found: GitSource, names: Mapping[str, str]) -> GitSource:
    if "tag" in names and "branch" in names:
        raise ValueError("branch conflicts with tag")
    for key, prefix in (("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if key in names:
            full = prefix + names[key].removeprefix(prefix)
            found = replace(found, ref=_same("ref", found.ref, full))
    return found


def check_digest(text: str) -> None:
    """Check ``algorithm:hex``.

    Raises:
        ValueError: BuildKit's message.
    """
    algorithm, _, encoded = text.partition(":")
    if not algorithm or not encoded:
        raise ValueError("invalid checksum digest format")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        known = _DIGEST.fullmatch(text)
        raise ValueError(
            "unsupported digest algorithm" if known else "invalid checksum digest format"
        )
    if len(encoded) != length:
        raise ValueError("invalid checksum digest length")
    if not _HEX.fullmatch(encoded):
        raise ValueError("invalid checksum digest format")
