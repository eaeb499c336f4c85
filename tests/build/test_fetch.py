"""Remote sources of ADD: downloads and git checkouts, from servers on loopback."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer.build.copying import CopyError
from pytest_zlayer.build.fetch import Fetcher, FetchError, download, file_name, redact
from pytest_zlayer.build.gitsource import GitError, GitSource, parse_git_source
from pytest_zlayer.build.remotes import Fetched, remote_kind
from pytest_zlayer.build.trees import EmptyRootfs
from pytest_zlayer.buildah.rootfs import LocalRootfs
from tests.build.support import add, at, files, lay, make_tree, paths

EMPTY = EmptyRootfs()
BODY = b"content of the file"
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


class Server:
    """An HTTP server on loopback that remembers what it was asked."""

    def __init__(self, repositories: Path) -> None:
        self.requests: list[str] = []
        self.repositories = repositories
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            path, _, query = self.path.partition("?")
            if path.startswith("/git/"):
                self._git(path, query)
            elif path.startswith("/status/"):
                self.send_error(int(path.rpartition("/")[2]))
            elif path.startswith("/redirect"):
                self.send_response(302)
                self.send_header("Location", query)
                self.end_headers()
            elif path == "/cut":
                self._answer(BODY, length=len(BODY) + 100)
            elif path == "/dated":
                self._answer(BODY, date="Thu, 01 Jan 2015 00:00:07 GMT")
            else:
                self._answer(BODY)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def _answer(self, body: bytes, length: int | None = None, date: str = "") -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(body)))
            if date:
                self.send_header("Last-Modified", date)
            self.end_headers()
            self.wfile.write(body)

        def _git(self, path: str, query: str) -> None:
            """Git's own CGI program answers."""
            length = int(self.headers.get("Content-Length") or 0)
            environment = {
                **os.environ,
                "GIT_PROJECT_ROOT": str(server.repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path.removeprefix("/git"),
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            }
            done = subprocess.run(
                ["git", "http-backend"],
                input=self.rfile.read(length),
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            lines: list[list[str]] = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            headers = dict(lines)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "repositories")
    yield found
    found.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "fetched").mkdir()
    return tmp_path / "fetched"


def process(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Any:
    """Runs a program as ``Engine.process`` does."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return SimpleNamespace(
        exit_code=done.returncode,
        stdout_tail=done.stdout.splitlines(),
        stderr_tail=done.stderr.splitlines(),
    )


@pytest.fixture
def fetcher(directory: Path) -> Fetcher:
    return Fetcher(directory, process=process, environment={}, timeout=20)


# --- telling sources apart


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("file.txt", "path"),
        ("https.txt", "path"),
        ("ftp://example.com/x", "path"),
        ("github.com/moby/buildkit", "path"),
        ("a:b", "path"),
        ("http://example.com/x", "http"),
        ("HTTPS://example.com/x.tar.gz", "http"),
        ("https://example.com/x.git/file", "http"),
        ("https://example.com/x.git", "git"),
        ("https://example.com/x.git#main:sub", "git"),
        ("https://example.com/x.git?ref=main", "git"),
        ("git://example.com/x", "git"),
        ("ssh://git@example.com/x", "git"),
        ("git@github.com:moby/buildkit.git", "git"),
    ],
)
def test_kind_of_source(source: str, kind: str) -> None:
    assert remote_kind(source) == kind


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://x/a/b.txt", "b.txt"),
        ("http://x/a/b.txt?query#fragment", "b.txt"),
        ("http://x/a%20b", "a b"),
        ("http://x/a%2Fb", "b"),
        ("http://x/dir/", "dir"),
        ("http://x/", "__unnamed__"),
        ("http://x", "__unnamed__"),
        ("http://x/..", "__unnamed__"),
    ],
)
def test_name_of_a_download(url: str, name: str) -> None:
    assert file_name(url) == name


def test_passwords_are_not_shown() -> None:
    assert redact("https://me:secret@example.com/x") == "https://me:xxxxx@example.com/x"


# --- downloads


def test_download_has_mode_600_and_belongs_to_root(server: Server, fetcher: Fetcher) -> None:
    layer = lay(add(server.url("/d/f.txt"), "/x/"), EMPTY, EMPTY, fetch=fetcher)
    found = at(layer, "/x/f.txt")
    assert files(layer) == {"/x/f.txt": BODY.decode()}
    assert (found.mode, found.uid, found.gid, found.mtime_ns) == (0o600, 0, 0, 0)


def test_download_to_a_file_name(server: Server, fetcher: Fetcher) -> None:
    layer = lay(add(server.url("/f"), "/x", chmod="755"), EMPTY, EMPTY, fetch=fetcher)
    assert at(layer, "/x").mode == 0o755


def test_time_of_the_server_is_kept(server: Server, fetcher: Fetcher) -> None:
    layer = lay(add(server.url("/dated"), "/"), EMPTY, EMPTY, fetch=fetcher)
    assert at(layer, "/dated").mtime_ns == 1420070407 * 10**9


def test_right_checksum(server: Server, fetcher: Fetcher) -> None:
    layer = lay(add(server.url("/f"), "/", checksum=DIGEST), EMPTY, EMPTY, fetch=fetcher)
    assert paths(layer) == ["/f"]


def test_wrong_checksum(server: Server, fetcher: Fetcher) -> None:
    wrong = f"sha256:{'0' * 64}"
    with pytest.raises(FetchError) as caught:
        lay(add(server.url("/f"), "/", checksum=wrong), EMPTY, EMPTY, fetch=fetcher)
    assert str(caught.value) == (
        f"digest mismatch for {server.url('/f')}: {DIGEST} (expected: {wrong})"
    )
    assert not caught.value.transient


def test_redirection_is_followed_and_the_first_name_kept(server: Server, fetcher: Fetcher) -> None:
    url = server.url("/redirect/name?" + server.url("/elsewhere"))
    assert paths(lay(add(url, "/x/"), EMPTY, EMPTY, fetch=fetcher)) == ["/x/", "/x/name"]


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirection_leads_to_the_web_only(server: Server, directory: Path, where: str) -> None:
    with pytest.raises(FetchError):
        download(server.url(f"/redirect?{where}"), directory, environment={})
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(("status", "transient"), [(404, False), (401, False), (503, True)])
def test_refusal(server: Server, directory: Path, status: int, transient: bool) -> None:
    with pytest.raises(FetchError) as caught:
        download(server.url(f"/status/{status}"), directory, environment={})
    assert str(caught.value) == server.url(
        f"/status/{status}: invalid response status {status}"
    )
    assert caught.value.transient is transient


def test_connection_cut_in_the_middle(server: Server, directory: Path) -> None:
    with pytest.raises(FetchError) as caught:
        download(server.url("/cut"), directory, environment={})
    assert str(caught.value) == server.url("/cut: the connection was cut in the middle")
    assert caught.value.transient
    assert list(directory.iterdir()) == []


def test_nobody_listens(directory: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(FetchError) as caught:
            download(url, directory, environment={})
    assert str(caught.value) == f"{url}: Connection refused"
    assert caught.value.transient


def test_no_answer_in_time(directory: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(FetchError) as caught:
            download(url, directory, environment={}, timeout=0.2)
    assert str(caught.value) == f"{url}: no answer in time"


def test_proxy_of_the_environment_is_used(server: Server, directory: Path) -> None:
    proxies = {"http_proxy": server.url("")}
    download("http://never.invalid/x", directory, environment=proxies)
    assert server.requests == ["http://never.invalid/x"]


def test_each_source_is_fetched_once(server: Server, fetcher: Fetcher) -> None:
    for _ in range(3):
        lay(add(server.url("/f"), "/"), EMPTY, EMPTY, fetch=fetcher)
    assert server.requests == ["/f"]


@pytest.mark.parametrize(("unpack", "found"), [(None, ["/a.tar"]), (True, ["/member"])])
def test_downloaded_archive_is_unpacked_on_demand(
    directory: Path, unpack: bool | None, found: list[str]
) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("member"))
    (directory / "a.tar").write_bytes(data.getvalue())

    def fetch(source: str, operation: object) -> Any:
        return Fetched(LocalRootfs(directory), "/a.tar", False, "a.tar")

    operation = add("http://example.com/a.tar", "/", unpack=unpack)
    assert paths(lay(operation, EMPTY, EMPTY, fetch=fetch)) == found


def test_remote_source_where_nothing_can_be_fetched() -> None:
    with pytest.raises(CopyError) as caught:
        lay(add("http://example.com/x", "/"), EMPTY, EMPTY)
    assert str(caught.value) == "http://example.com/x: remote sources cannot be fetched here"


# --- git references


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://x/y.git", GitSource("https://x/y.git")),
        ("https://x/y.git#v1:a/b", GitSource("https://x/y.git", "v1", "a/b")),
        ("https://x/y.git#:../a", GitSource("https://x/y.git", "", "a")),
        ("git@x:y/z.git#main", GitSource("git@x:y/z.git", "main")),
        ("git@x:y/z.git?branch=b", GitSource("git@x:y/z.git", "refs/heads/b")),
        ("https://x/y.git?tag=1&subdir=s", GitSource("https://x/y.git", "refs/tags/1", "s")),
        ("https://x/y.git?keep-git-dir", GitSource("https://x/y.git", keep_git_dir=True)),
        ("https://x/y.git?submodules=0", GitSource("https://x/y.git", submodules=False)),
        ("https://x/y.git?commit=abc", GitSource("https://x/y.git", checksum="abc")),
        ("https://x/y.git?mtime=commit", GitSource("https://x/y.git", mtime="commit")),
    ],
)
def test_git_reference(text: str, source: GitSource) -> None:
    assert parse_git_source(text) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://x/y.git?foo=1", 'unexpected query "foo"'),
        ("https://x/y.git?ref=", 'query "ref" has no value'),
        ("https://x/y.git?ref=a&ref=b", 'query "ref" has multiple values'),
        ("https://x/y.git?ref=a#b", 'ref conflicts: "b" vs "a"'),
        ("https://x/y.git?subdir=a#b:c", 'subdir conflicts: "c" vs "a"'),
        ("https://x/y.git?tag=a&branch=b", "branch conflicts with tag"),
        ("https://x/y.git?tag=a#b", 'ref conflicts: "b" vs "refs/tags/a"'),
        ("https://x/y.git?keep-git-dir=x", 'invalid keep-git-dir value: "x"'),
        (
            "https://x/y.git?mtime=x",
            'invalid mtime value: "x" (must be "checkout" or "commit")',
        ),
        (
            "https://x/y.git?commit=main",
            "invalid checksum main for Git URL, expected hex commit hash",
        ),
    ],
)
def test_malformed_git_reference(text: str, message: str) -> None:
    with pytest.raises(CopyError) as caught:
        parse_git_source(text)
    assert str(caught.value) == message


def test_flags_must_not_contradict_the_reference() -> None:
    with pytest.raises(CopyError) as caught:
        parse_git_source("https://x/y.git?keep-git-dir=1", keep_git_dir=False)
    assert str(caught.value) == "inconsistent keep-git-dir configuration"
    with pytest.raises(CopyError) as caught:
        parse_git_source("https://x/y.git?commit=aa", checksum="bb")
    assert str(caught.value) == 'checksum mismatch "bb" != "aa"'


# --- git checkouts


class Repository:
    """A repository the server has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        environment = {
            **os.environ,
            **{f"GIT_{who}_NAME": "n" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "e@e" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": "@1400000000 +0000" for who in ("AUTHOR", "COMMITTER")},
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, contents: Mapping[str, str]) -> str:
        make_tree(self.path, contents)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(server: Server) -> Repository:
    found = Repository(server.repositories / "r.git")
    found.commit({"f": "first", "sub/g": "G", "link": "-> f"})
    found.git("tag", "v1")
    found.git("branch", "old")
    found.commit({"f": "second"})
    return found


def clone(server: Server, fetcher: Fetcher, suffix: str = "", **fields: Any) -> dict[str, str]:
    operation = add(server.url("/git/r.git") + suffix, "/x", **fields)
    return files(lay(operation, EMPTY, EMPTY, fetch=fetcher))


def test_default_branch(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    assert clone(server, fetcher) == {"/x/f": "second", "/x/link": "-> f", "/x/sub/g": "G"}


@pytest.mark.parametrize("suffix", ["#v1", "#old", "?tag=v1", "?branch=old", "#refs/tags/v1"])
def test_branch_and_tag(
    server: Server, repository: Repository, fetcher: Fetcher, suffix: str
) -> None:
    assert clone(server, fetcher, suffix)["/x/f"] == "first"


def test_commit(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    first = repository.git("rev-parse", "v1")
    assert clone(server, fetcher, f"#{first}")["/x/f"] == "first"


def test_subdirectory(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    assert clone(server, fetcher, "#v1:sub") == {"/x/g": "G"}


def test_missing_subdirectory(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    commit = repository.git("rev-parse", "HEAD")
    with pytest.raises(GitError) as caught:
        clone(server, fetcher, "#:nope")
    assert str(caught.value) == (
        f"nope: no such directory in {server.url('/git/r.git')} at {commit}"
    )


def test_missing_reference(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    with pytest.raises(GitError, match="couldn't find remote ref nope") as caught:
        clone(server, fetcher, "#nope")
    assert not caught.value.transient


@pytest.mark.parametrize("keep", [True, False])
def test_git_directory_stays_on_demand(
    server: Server, repository: Repository, fetcher: Fetcher, keep: bool
) -> None:
    found = clone(server, fetcher, keep_git_dir=keep)
    assert ("/x/.git/HEAD" in found) is keep


def test_right_commit_as_checksum(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    assert clone(server, fetcher, checksum=commit[:12])["/x/f"] == "second"


def test_other_commit_than_the_checksum(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    with pytest.raises(GitError) as caught:
        clone(server, fetcher, checksum="0" * 40)
    assert str(caught.value) == f"expected checksum to match {'0' * 40}, got {commit}"


def test_modes_do_not_depend_on_the_umask(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    before = os.umask(0o077)
    try:
        layer = lay(add(server.url("/git/r.git"), "/x"), EMPTY, EMPTY, fetch=fetcher)
    finally:
        os.umask(before)
    assert [at(layer, path).mode for path in ("/x/f", "/x/sub")] == [0o644, 0o755]


def test_time_of_the_commit(server: Server, repository: Repository, fetcher: Fetcher) -> None:
    operation = add(server.url("/git/r.git?mtime=commit"), "/x")
    layer = lay(operation, EMPTY, EMPTY, fetch=fetcher)
    assert at(layer, "/x/f").mtime_ns == 1400000000 * 10**9


def test_reference_that_looks_like_an_option(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    with pytest.raises(GitError) as caught:
        clone(server, fetcher, "#--upload-pack=x")
    assert str(caught.value) == 'invalid git ref "--upload-pack=x"'
