"""Dates from a server on loopback."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.builder.context.fetch import Fetcher
from pytest_zlayer.builder.plan.epoch import RemoteDate
from pytest_zlayer.builder.session.remote_date import fetch_date
from pytest_zlayer.errors import UsageError
from tests.builder.context.test_git import Repository
from tests.builder.servers import Server, process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "repositories")
    yield found
    found.close()


@pytest.fixture
def date_of(server: Server, tmp_path: Path) -> Callable[..., int | None]:
    fetcher = Fetcher(tmp_path / "fetched", process=process, environment={}, timeout=20)

    def date_of(path: str, checksum: str | None = None) -> int | None:
        return fetch_date(RemoteDate(server.url(path), checksum), fetcher)

    return date_of


def test_commit(server: Server, date_of: Callable[..., int | None]) -> None:
    Repository(server.repositories / "r.git").commit({"f": "x"})
    assert date_of("/git/r.git") == 1400000000


def test_what_the_server_says(date_of: Callable[..., int | None]) -> None:
    assert date_of("/dated") == 1420070407


def test_newest_file_of_an_archive(server: Server, date_of: Callable[..., int | None]) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for time in (3, 8, 5):
            info = tarfile.TarInfo(f"f{time}")
            info.mtime = time
            tar.addfile(info)
    server.bodies["/f.tar.gz"] = content.getvalue()
    assert date_of("/f.tar.gz") == 8


def test_file_without_a_date(date_of: Callable[..., int | None]) -> None:
    assert date_of("/f") is None


def test_source_that_cannot_be_had(date_of: Callable[..., int | None]) -> None:
    with pytest.raises(UsageError, match=r"^SOURCE_DATE_EPOCH: http.* status 404$"):
        date_of("/status/404")
