"""Pulling and pushing through a registry on loopback, and registries that misbehave."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.services.ports import claim_free_port
from tests.waiting import wait_until

from .conftest import Storage, busybox_layer, write_layout

CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``127.0.0.1:PORT`` of an empty registry."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.fail("these tests need a registry: install docker-registry")
    directory = tmp_path_factory.mktemp("registry")
    claimed = claim_free_port()  # nobody else takes it before the registry does
    port = int(claimed.value)
    (directory / "config.yml").write_text(
        CONFIG.format(root=directory / "data", port=port), encoding="ascii"
    )
    process = subprocess.Popen(
        [program, "serve", str(directory / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port), "the registry")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        claimed.release()


class Answering(BaseHTTPRequestHandler):
    """Answers every request with the same status."""

    status = 200

    def do_GET(self) -> None:
        body = b'{"errors": [{"code": "%s", "message": "no"}]}' % {
            401: b"UNAUTHORIZED", 403: b"DENIED", 404: b"MANIFEST_UNKNOWN"
        }.get(self.status, b"UNKNOWN")  # fmt: skip
        self.send_response(200 if self.path == "/v2/" else self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (the name http.server looks for)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry that answers with one status: the parameter."""
    handler = type("Handler", (Answering,), {"status": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def plain(storage: Storage, tmp_path: Path) -> Iterator[Engine]:
    """An engine that speaks plain HTTP to loopback."""
    configuration = tmp_path / "registries.conf"
    configuration.write_text(
        '[[registry]]\nlocation = "127.0.0.1"\nprefix = "127.0.0.1"\ninsecure = true\n',
        encoding="ascii",
    )
    environment = {**storage.environment, "CONTAINERS_REGISTRIES_CONF": str(configuration)}
    engine = storage.open(environment=environment)
    yield engine
    engine.close()


def put(engine: Engine, directory: Path, marker: str, name: str) -> str:
    """An image of its own in the store; its id."""
    layout = write_layout(directory / marker, [busybox_layer()], {"Env": [f"M={marker}"]}, {})
    return engine.images.import_layout(layout, name)


def test_pushed_image_comes_back_by_tag_and_digest(
    plain: Engine, registry: str, tmp_path: Path
) -> None:
    name = f"{registry}/test/there:1"
    identifier = put(plain, tmp_path, "there", name)
    digest = plain.registries.push(name, name)
    plain.images.remove(name)
    assert not plain.images.exists(name)
    assert plain.registries.pull(name) == identifier
    assert plain.registries.pull(f"{registry}/test/there@{digest}", policy="always") == identifier
    plain.images.remove(identifier)


def test_newer_sees_a_changed_tag_and_missing_does_not(
    plain: Engine, registry: str, tmp_path: Path
) -> None:
    name = f"{registry}/test/moving:1"
    old, new = (put(plain, tmp_path, marker, name) for marker in ("old", "new"))
    plain.registries.push(new, name)
    plain.images.tag(old, name)
    assert plain.registries.pull(name, policy="missing") == old
    assert plain.registries.pull(name, policy="newer") == new
    plain.images.remove(old, new)


def test_manifest_list_is_pushed_with_its_images(
    plain: Engine, registry: str, tmp_path: Path
) -> None:
    identifier = put(plain, tmp_path, "part", "localhost/test/part:1")
    plain.registries.manifest_create("localhost/test/multi:1", identifier)
    plain.registries.manifest_push("localhost/test/multi:1", f"{registry}/test/multi:1")
    plain.images.remove("localhost/test/multi:1", "localhost/test/part:1")
    assert plain.registries.pull(f"{registry}/test/multi:1") == identifier
    plain.images.remove(identifier)


def test_manifest_list_that_cannot_be_pushed_is_an_error(plain: Engine, busybox: str) -> None:
    plain.registries.manifest_create("localhost/test/multi:2", busybox)
    with pytest.raises(EngineError) as caught:
        plain.registries.manifest_push("localhost/test/multi:2", "127.0.0.1:1/test/multi:2")
    plain.images.remove("localhost/test/multi:2")
    assert not plain.images.exists("localhost/test/multi:2")
    assert plain.images.exists(busybox)
    assert caught.value.failure.kind == "transient"


def test_tag_that_is_not_there(plain: Engine, registry: str) -> None:
    with pytest.raises(EngineError) as caught:
        plain.registries.pull(f"{registry}/test/nothing:1")
    assert caught.value.failure.kind == "absent"


@pytest.mark.parametrize(
    ("answering", "kind"),
    [(401, "permanent"), (403, "permanent"), (404, "absent"), (500, "transient"),
     (503, "transient")],
    indirect=["answering"],
)  # fmt: skip
def test_registry_that_refuses(plain: Engine, answering: str, kind: str) -> None:
    with pytest.raises(EngineError) as caught:
        plain.registries.pull(f"{answering}/test/x:1", timeout=300)
    assert caught.value.failure.kind == kind
