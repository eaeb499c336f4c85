"""Git references and checkouts, from a server on loopback."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.context.fetch import Fetcher
from pytest_zlayer.builder.context.git import GitError
from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.files.paths import EmptyRootfs
from tests.builder.servers import Server, process
from tests.builder.support import add, at, files, lay, make_tree

EMPTY = EmptyRootfs()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "repositories")
    yield found
    found.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "fetched").mkdir()
    return tmp_path / "fetched"


@pytest.fixture
def fetcher(directory: Path) -> Fetcher:
    return Fetcher(directory, process=process, environment={}, timeout=20)


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


def test_right_commit_as_checksum(server: Server, repository: Repository, fetcher: Fetcher) -> None:
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


@pytest.mark.parametrize("length", [40, 12])
def test_a_commit_that_is_not_the_last_one(
    server: Server, repository: Repository, fetcher: Fetcher, length: int
) -> None:
    first = repository.git("rev-parse", "v1")[:length]
    assert clone(server, fetcher, f"?commit={first}")["/x/f"] == "first"


def test_a_commit_outside_the_branch_that_is_named(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    first = repository.git("rev-parse", "v1")
    found = clone(server, fetcher, f"?commit={first}&fetch-by-commit=1#main")
    assert found["/x/f"] == "first"


def test_a_tag_with_a_message_may_be_the_checksum(
    server: Server, repository: Repository, fetcher: Fetcher
) -> None:
    repository.git("tag", "--annotate", "--message=x", "v2", "v1")
    tag = repository.git("rev-parse", "v2")
    assert clone(server, fetcher, f"?tag=v2&checksum={tag}")["/x/f"] == "first"


def test_reference_that_flags_contradict(fetcher: Fetcher) -> None:
    with pytest.raises(CopyError) as caught:
        fetcher("https://x/y.git?keep-git-dir=1", add("y", "/x", keep_git_dir=False))
    assert caught.value.message == "inconsistent keep-git-dir configuration"


def test_no_command_line_holds_the_credentials(
    server: Server, repository: Repository, directory: Path
) -> None:
    lines: list[str] = []

    def noting(argv: Any, **more: Any) -> Any:
        lines.append(" ".join(argv))
        return process(argv, **more)

    url = server.url("/git/r.git").replace("//", "//oauth2:TOKEN@")
    fetched = Fetcher(directory, process=noting, environment={})(url, add(url, "/x"))
    assert fetched.is_directory
    assert lines
    assert [line for line in lines if "TOKEN" in line] == []
    assert {one for one in server.authorizations if one} == {
        "Basic " + b64encode(b"oauth2:TOKEN").decode()
    }
