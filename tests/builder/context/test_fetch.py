"""Downloads from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.context.fetch import Fetcher, FetchError, download, file_name
from pytest_zlayer.builder.copy import CopyError
from pytest_zlayer.builder.copy.remote import Fetched
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.waiting import in_background
from tests.builder.servers import BODY, Server, process
from tests.builder.support import add, at, files, lay, paths
from tests.interruptions import notices

EMPTY = EmptyRootfs()
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


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


def test_credentials_of_an_address_are_sent_as_a_header(server: Server, directory: Path) -> None:
    url = server.url("/f").replace("//", "//me:pa%40ss@")
    Fetcher(directory, process=process, environment={})(url, add(url, "/x"))
    assert server.authorizations == ["Basic " + b64encode(b"me:pa@ss").decode()]


@pytest.mark.parametrize(
    ("name", "value", "header"),
    [
        ("HTTP_AUTH_TOKEN_127.0.0.1", "abc\n", "Bearer abc"),
        ("HTTP_AUTH_HEADER_127.0.0.1", "Basic xyz", "Basic xyz"),
        ("HTTP_AUTH_TOKEN_{host}", "abc\n", "Bearer abc"),
        ("HTTP_AUTH_HEADER_{host}", "Basic xyz", "Basic xyz"),
        ("HTTP_AUTH_TOKEN_other", "abc", None),
    ],
)
def test_secrets_of_a_host_are_sent_to_it(
    server: Server, directory: Path, name: str, value: str, header: str | None
) -> None:
    host = server.url("/").split("/")[2]
    secrets = {name.format(host=host): value}
    fetcher = Fetcher(directory, process=process, environment={}, secret=secrets.get)
    fetcher(server.url("/f"), add(server.url("/f"), "/x"))
    assert server.authorizations == [header]


def test_another_host_does_not_get_the_credentials(server: Server, directory: Path) -> None:
    target = server.url("/f").replace("127.0.0.1", "localhost")
    url = server.url(f"/redirect?{target}").replace("//127", "//me:secret@127")
    Fetcher(directory, process=process, environment={})(url, add(url, "/x"))
    assert server.authorizations[0] is not None
    assert server.authorizations[1] is None


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
    assert str(caught.value) == server.url(f"/status/{status}: invalid response status {status}")
    assert caught.value.transient is transient


def test_connection_cut_in_the_middle(server: Server, directory: Path) -> None:
    with pytest.raises(FetchError) as caught:
        download(server.url("/cut"), directory, environment={})
    assert str(caught.value) == server.url("/cut: the connection was cut in the middle")
    assert caught.value.transient
    assert list(directory.iterdir()) == []


def test_a_length_that_is_no_number_counts_for_nothing(server: Server, fetcher: Fetcher) -> None:
    layer = lay(add(server.url("/odd"), "/x"), EMPTY, EMPTY, fetch=fetcher)
    assert files(layer) == {"/x": BODY.decode()}


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


# -- a server that says nothing --


class Stopped(Exception):
    """What the check raises."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/f"


def test_download_that_does_not_come_is_given_up_when_the_run_ends(
    silent: str, directory: Path
) -> None:
    def stop() -> None:
        raise Stopped

    patient = Fetcher(directory, process=process, environment={}, timeout=600, check=stop)
    end = in_background(lambda: patient(silent, add(silent, "/x")), "fetching")
    assert end.wait(90)
    assert isinstance(end.error, Stopped)


def test_download_that_does_not_come_does_not_hide_a_signal(silent: str, directory: Path) -> None:
    patient = Fetcher(directory, process=process, environment={}, timeout=600)
    assert notices(lambda: patient(silent, add(silent, "/x")))
