"""Git references and URLs among the sources of ADD."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.remote_sources import (
    GitSource,
    check_digest,
    is_git,
    is_remote,
    is_url,
    parse_git_source,
    short_name,
)

URL = "https://example.com/org/repo.git"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (URL, GitSource(URL)),
        (f"{URL}#v1", GitSource(URL, "v1")),
        (f"{URL}#v1:a/../b", GitSource(URL, "v1", "b")),
        (f"{URL}#:sub", GitSource(URL, "", "sub")),
        (f"{URL}#:/XML/", GitSource(URL, "", "XML")),
        (f"{URL}#a%23b", GitSource(URL, "a#b")),
        (f"{URL}?ref=v1&subdir=s", GitSource(URL, "v1", "s")),
        (f"{URL}?tag=v1", GitSource(URL, "refs/tags/v1")),
        (f"{URL}?branch=refs/heads/b", GitSource(URL, "refs/heads/b")),
        (f"{URL}?commit=abc", GitSource(URL, checksum="abc")),
        (f"{URL}?keep-git-dir&submodules=0", GitSource(URL, keep_git_dir=True, submodules=False)),
        (f"{URL}?mtime=commit", GitSource(URL, mtime="commit")),
        (f"{URL}?fetch-by-commit", GitSource(URL, fetch_by_commit=True)),
        ("git@host:org/repo#v1", GitSource("git@host:org/repo", "v1")),
        ("git@host:repo?tag=v1#:s", GitSource("git@host:repo", "refs/tags/v1", "s")),
        ("ssh://git@host/repo", GitSource("ssh://git@host/repo")),
        ("git://host/repo", GitSource("git://host/repo")),
    ],
)  # fmt: skip
def test_git_references_are_taken_apart(text: str, source: GitSource):
    assert parse_git_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "a/b",
        "./a@b:c",
        "../a@b:c",
        "github.com/org/repo",
        "http://example.com/x",
        "https://example.com/x",
        "https://[/x.git",
        "ftp://h/r.git",
        "C:x",
    ],
)
def test_other_sources_are_no_git_references(text: str):
    assert parse_git_source(text) is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("foo=1", 'unexpected query "foo"'),
        ("ref=", 'query "ref" has no value'),
        ("ref=a&ref=b", 'query "ref" has multiple values'),
        ("submodules=x", 'invalid submodules value: "x"'),
        ("mtime=x", 'invalid mtime value: "x" (must be "checkout" or "commit")'),
        ("tag=a&branch=b", "branch conflicts with tag"),
        ("ref=a#b", 'ref conflicts: "b" vs "a"'),
        ("subdir=a#:b", 'subdir conflicts: "b" vs "a"'),
        ("ref=a&tag=b", 'ref conflicts: "a" vs "refs/tags/b"'),
    ],
)
def test_wrong_options_are_refused(query: str, message: str):
    with pytest.raises(ValueError, match=r".") as raised:
        parse_git_source(f"{URL}?{query}")
    assert str(raised.value) == message


SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("source", "checksum", "ref"),
    [
        (GitSource(URL), None, ""),
        (GitSource(URL, "v1"), None, "v1"),
        (GitSource(URL), "abc", ""),
        (GitSource(URL, checksum="abc"), None, "abc"),
        (GitSource(URL, "v1", checksum="abc"), None, "v1"),
        (GitSource(URL, "v1", checksum=SHA, fetch_by_commit=True), None, SHA),
        (GitSource(URL, "v1", fetch_by_commit=True), SHA, SHA),
        (GitSource(URL, SHA, fetch_by_commit=True), None, SHA),
    ],
)
def test_what_is_asked_of_the_server(source: GitSource, checksum: str | None, ref: str) -> None:
    assert source.with_flags(checksum, None).ref == ref


def test_flags_say_what_a_reference_does_not() -> None:
    found = GitSource(URL).with_flags("abc", True)
    assert found == GitSource(URL, checksum="abc", keep_git_dir=True)
    said = GitSource(URL, "v1", checksum="ab", keep_git_dir=False)
    assert said.with_flags(None, None) == said


@pytest.mark.parametrize(
    ("source", "checksum", "keep", "message"),
    [
        (GitSource(URL, keep_git_dir=True), None, False, "inconsistent keep-git-dir configuration"),
        (GitSource(URL, checksum="aa"), "bb", None, 'checksum mismatch "bb" != "aa"'),
        (
            GitSource(URL, checksum="main"),
            None,
            None,
            "invalid checksum main for Git URL, expected hex commit hash",
        ),
        (
            GitSource(URL, "v1", fetch_by_commit=True),
            None,
            None,
            "fetch-by-commit requires a checksum or a commit SHA ref",
        ),
        (
            GitSource(URL, fetch_by_commit=True),
            "abc",
            None,
            'fetch-by-commit requires a full commit SHA checksum, got "abc"',
        ),
    ],
)
def test_flags_must_not_contradict_the_reference(
    source: GitSource, checksum: str | None, keep: bool | None, message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        source.with_flags(checksum, keep)
    assert str(raised.value) == message


def test_a_url_is_downloaded_unless_it_is_a_repository():
    assert is_url("https://example.com/x.tar.gz")
    assert not is_url(URL)
    assert is_git(URL)
    assert not is_git("a")


def test_a_repository_with_wrong_options_is_no_git_reference():
    assert not is_git(f"{URL}?foo=1")


def test_a_build_context_is_remote_when_it_is_a_repository_or_a_url() -> None:
    assert is_remote(URL)
    assert is_remote("http://example.com/x.tar.gz")
    assert not is_remote("services/api")
    with pytest.raises(ValueError, match=r'^unexpected query "foo"$'):
        is_remote(f"{URL}?foo=1")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (f"{URL}#main:sub", "repo"),
        ("https://example.com/org/repo.git/", "repo"),
        ("git@host:api", "api"),
        ("git@host:org/api.git#v1", "api"),
        ("git@host:team:api?ref=v1", "api"),
        ("ssh://git@host:22/org/api.git?ref=v1", "api"),
        ("https://example.com/a/app.tar.gz?token=x#y", "app.tar.gz"),
        ("https://example.com/my%20app.git", "my app"),
        ("git://host/.git", "remote"),
    ],
)
def test_an_address_has_a_name_for_people(address: str, name: str) -> None:
    assert short_name(address) == name


@pytest.mark.parametrize("text", ["sha256:" + "0a" * 32, "sha512:" + "0a" * 64])
def test_a_digest_is_an_algorithm_and_as_many_digits_as_it_gives(text: str) -> None:
    check_digest(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid checksum digest format"),
        ("sha256", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        (":" + "0a" * 32, "invalid checksum digest format"),
        ("sha256:x:" + "0a" * 31, "invalid checksum digest format"),
        ("sha256:" + "0g" * 32, "invalid checksum digest format"),
        ("sha256:" + "0a" * 31, "invalid checksum digest length"),
        ("sha256:" + "0a" * 33, "invalid checksum digest length"),
        ("md5:" + "0a" * 16, "unsupported digest algorithm"),
        ("MD5:" + "0a" * 16, "invalid checksum digest format"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        check_digest(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("protocol", ["http", "https", "ssh", "git"])
def test_git_is_spoken_over_these_protocols(protocol: str) -> None:
    remote = f"{protocol}://example.com/org/repo.git"
    assert parse_git_source(remote) == GitSource(remote)
