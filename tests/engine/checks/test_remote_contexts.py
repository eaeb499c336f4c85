"""Named contexts that are git repositories and archives behind a URL."""

from __future__ import annotations

import functools
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.errors import ZlayerError
from tests.builder.context.test_git import Repository
from tests.builder.servers import Server
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX, Storage

TEXT = f"FROM {BUSYBOX}\nCOPY --from=there . /there/\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "f").write_text("from a tar")
    with tarfile.open(folder / "c.tar.gz", "w:gz") as tar:
        tar.add(folder / "f", "f")
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_git_repository_is_a_context(storage: Storage, busybox: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "repositories")
    try:
        repository = Repository(server.repositories / "r.git")
        repository.commit({"f": "1", "sub/g": "G", "sub/no": "x", "sub/.dockerignore": "no"})
        with building(storage) as builds:
            url = server.url("/git/r.git#main:sub")
            image = builds.build(TEXT, build_contexts={"there": url})
            found = sorted(str(one) for one in image.files("there/**"))
            assert found == ["/there/.dockerignore", "/there/g"]
    finally:
        server.close()


def test_an_archive_behind_a_url_is_a_context(
    storage: Storage, busybox: str, archives: str
) -> None:
    with building(storage) as builds:
        image = builds.build(TEXT, build_contexts={"there": f"{archives}/c.tar.gz"})
        assert image.path("/there/f").read_text() == "from a tar"
        with pytest.raises((DockerfileError, ZlayerError), match="not a tar archive"):
            builds.build(TEXT, build_contexts={"there": f"{archives}/f"})
        with pytest.raises(ZlayerError, match="404"):
            builds.build(TEXT, build_contexts={"there": f"{archives}/none.tar"})
