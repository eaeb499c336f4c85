"""A real registry on loopback, and a proxy before it that counts requests and misbehaves."""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.services.ports import claim_free_port
from tests.engine.registry.secured import Authority, TokenServer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_ALL_KINDS = f"{MANIFEST}, {INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}"
USER = "tester"
PASSWORD = "Pa55-canary-word"  # noqa: S105  # of the registry that is started here
# What htpasswd -nbB makes of that password.
_HTPASSWD = f"{USER}:$2b$04$92//RM84K4/fgk5lWC6uLO9DfCK/BokXmZeTytXiy083suagYMLZS\n"
_CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{data}"}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"{tls}}}
"""
_LOGIN = "auth: {{htpasswd: {{realm: test, path: {file}}}}}\n"


@dataclass(frozen=True)
class Registry:
    """A registry, filled and read by plain HTTP, without any of the code under test.

    Attributes:
        address: ``127.0.0.1:PORT``.
        headers: sent with every request.
    """

    address: str
    headers: dict[str, str] = field(default_factory=dict)

    def put_image(
        self,
        name: str,
        *,
        mark: str = "1",
        platform: str = "linux/amd64",
        layers: int = 1,
        size: int = 0,
    ) -> str:
        """Stores ``repository:tag``, an image with the variable MARK; its digest.

        The file in each of its layers has at least ``size`` bytes.
        """
        system, architecture = platform.split("/")
        numbers = range(1, layers + 1)
        contents = [
            layer_of("mark", f"{mark} {platform}\n" * number + "." * size) for number in numbers
        ]
        config = {
            "os": system,
            "architecture": architecture,
            "config": {"Env": [f"MARK={mark}"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(one) for one in contents]},
        }
        repository, _, tag = name.rpartition(":")
        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._put_blob(repository, f"{kind}.config.v1+json", _json(config)),
            "layers": [self._put_blob(repository, f"{kind}.layer.v1.tar", one) for one in contents],
        }
        return self._put_manifest(repository, tag, MANIFEST, _json(manifest))

    def put_list(self, name: str, *platforms: str) -> str:
        """Stores a manifest list with an image for each platform; its digest."""
        repository, _, tag = name.rpartition(":")
        entries = []
        for platform in platforms:
            one = f"{repository}:{platform.replace('/', '-')}"
            digest = self.put_image(one, mark=platform, platform=platform)
            size = len(self.get(repository, digest) or b"")
            system, architecture = platform.split("/")
            where = {"os": system, "architecture": architecture}
            described = {"mediaType": MANIFEST, "digest": digest, "size": size, "platform": where}
            entries.append(described)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        return self._put_manifest(repository, tag, INDEX, _json(index))

    def get(self, repository: str, reference: str) -> bytes | None:
        """The manifest a tag or digest stands for; ``None`` when there is none."""
        answer, body = self._ask(
            "GET", f"/v2/{repository}/manifests/{reference}", accept=_ALL_KINDS
        )
        return body if answer.status == 200 else None

    def put(self, repository: str, tag: str, manifest: bytes) -> None:
        """Have a tag mean this OCI manifest, whatever it says of blobs that are there."""
        self._put_manifest(repository, tag, MANIFEST, manifest)

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        answer, body = self._ask("GET", f"/v2/{repository}/tags/list")
        assert answer.status == 200, body
        return list(json.loads(body)["tags"])

    def digest(self, name: str) -> str | None:
        """The digest ``repository:tag`` has in the registry."""
        repository, _, tag = name.rpartition(":")
        found = self.get(repository, tag)
        return None if found is None else _digest(found)

    def layers(self, name: str) -> list[str]:
        """The digests of the layers of ``repository:tag``, lowest first."""
        repository, _, tag = name.rpartition(":")
        found = json.loads(self.get(repository, tag) or b"{}")
        return [one["digest"] for one in found["layers"]]

    def layer_sizes(self, name: str) -> list[int]:
        """The bytes of the layers of ``repository:tag``, lowest first."""
        repository, _, tag = name.rpartition(":")
        return [one["size"] for one in json.loads(self.get(repository, tag) or b"{}")["layers"]]

    def _put_blob(self, repository: str, kind: str, content: bytes) -> dict[str, Any]:
        answer, _ = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        place = answer.getheader("Location", "").partition(self.address)[2]
        digest = _digest(content)
        answer, body = self._ask("PUT", f"{place}&digest={digest}", content)
        assert answer.status == 201, body
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _put_manifest(self, repository: str, tag: str, kind: str, content: bytes) -> str:
        place = f"/v2/{repository}/manifests/{tag}"
        answer, body = self._ask("PUT", place, content, kind=kind)
        assert answer.status == 201, body
        return _digest(content)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, *, kind: str = "", accept: str = ""
    ) -> tuple[HTTPResponse, bytes]:
        headers = {"Content-Type": kind, "Accept": accept}
        connection = HTTPConnection(self.address, timeout=30)
        try:
            sent = {name: value for name, value in headers.items() if value}
            connection.request(method, path, body, {**sent, **self.headers})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def layer_of(name: str, text: str) -> bytes:
    """An uncompressed layer with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def registry_program() -> str:
    """The registry of the distribution project, as Debian and as openSUSE call it."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        pytest.fail("these tests need a registry: install docker-registry")
    return program


@contextmanager
def running_registry(
    directory: Path,
    *,
    login: bool = False,
    authority: Authority | None = None,
    tokens: TokenServer | None = None,
) -> Iterator[Registry]:
    """A registry with its data below ``directory``, stopped afterwards.

    ``login``: it asks for user and password; ``authority``: it speaks TLS; ``tokens``: it asks for
    tokens of that server. What it speaks then is more than ``Registry`` itself can.
    """
    program = registry_program()
    port = claim_free_port()  # nobody else takes it before the registry does
    address = f"127.0.0.1:{port.value}"
    tls = ""
    if authority is not None:
        tls = f", tls: {{certificate: '{authority.server}', key: '{authority.server_key}'}}"
    text = _CONFIG.format(data=directory / "data", address=address, tls=tls)
    text += tokens.configuration if tokens else ""
    if login:
        passwords = directory / "htpasswd"
        passwords.write_text(_HTPASSWD, encoding="ascii")
        text += _LOGIN.format(file=passwords)
    configuration = directory / "config.yml"
    configuration.write_text(text, encoding="ascii")
    argv = [program, "serve", str(configuration)]
    silent = subprocess.DEVNULL
    process = subprocess.Popen(argv, stdout=silent, stderr=silent)
    try:
        _wait_for(address, process)
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        yield Registry(address, {"Authorization": f"Basic {known}"} if login else {})
    finally:
        process.terminate()
        process.wait()
        port.release()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the registry did not start")


class Proxy:
    """Stands before a registry, writes down what is asked, and does not always pass it on.

    Attributes:
        address: ``127.0.0.1:PORT``.
        requests: ``METHOD path`` of every request so far.
        down, up: bytes of all bodies that were passed on, to the client and from it.
        faults: what to do with the next requests for manifests and blobs instead of passing them
            on: a status, ``html`` (a login page), ``drop`` (no answer), ``cut`` (half an answer),
            ``hang`` (an answer that never comes), ``drip`` (one that comes byte by byte), or
            ``None``: this one is passed on.
        lists_too: whether it also happens to lists of tags.
        always: the same for all of them once ``faults`` are used up.
        message: what errors say.
        coded: whether they have a code, as the specification of registries wants it.
        retry_after: the seconds that answers with status 429 ask for.
        only: the method of the requests this happens to; empty: of all.
        held: the digest of a blob that is passed on only once ``released`` is set,
        before: but for so many bytes, which are passed on at once.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.requests: list[str] = []
        self.down = self.up = 0
        self.faults: list[int | str | None] = []
        self.always: int | str | None = None
        self.only = ""
        self.lists_too = False
        self.message = "not for you"
        self.coded = True
        self.retry_after = 0
        self.held = ""
        self.before = 0
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def manifests(self) -> list[str]:
        """The requests for manifests."""
        return [one for one in self.requests if "/manifests/" in one]

    def fault(self, method: str, path: str) -> int | str | None:
        """What is to go wrong with this request."""
        concerned = "/manifests/" in path or "/blobs/" in path
        concerned = concerned or (self.lists_too and "/tags/list" in path)
        if not concerned or self.only not in ("", method):
            return None
        return self.faults.pop(0) if self.faults else self.always

    def close(self) -> None:
        """Stops, also in the middle of an answer that hangs."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = b"".join(self._body())
        self.proxy.requests.append(f"{self.command} {self.path}")
        held = bool(self.proxy.held) and self.path.endswith(self.proxy.held)
        if held and not self.proxy.before:
            self.proxy.released.wait()
        fault = self.proxy.fault(self.command, self.path)
        if fault is None:
            self._pass_on(body, before=self.proxy.before if held else None)
        elif isinstance(fault, int):
            self._refuse(fault)
        elif fault == "html":
            self._send(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
        else:
            self._break_off(fault, body)

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _pass_on(
        self, body: bytes, *, part: float = 1.0, pause: float = 0.0, before: int | None = None
    ) -> None:
        """Pass it on: a part of the answer, or all of it with a pause after each byte.

        Or ``before`` bytes of it, and the rest once that is released.
        """
        connection = HTTPConnection(self.proxy.registry.address, timeout=30)
        try:
            # buildah sends a line for each kind of manifest it accepts.
            asked = {key: ", ".join(self.headers.get_all(key, [])) for key in self.headers}
            asked.pop("Transfer-Encoding", None)
            connection.request(self.command, self.path, body or None, asked)
            answer = connection.getresponse()
            content = answer.read()
            self.proxy.down += len(content)
            self.proxy.up += len(body)
            headers = {name: value for name, value in answer.getheaders() if name != "Date"}
            headers.setdefault("Content-Length", str(len(content)))
            content = content[: int(len(content) * part)]
            self._send(answer.status, headers, b"" if pause else content[:before])
            if before is not None:
                self.proxy.released.wait()
                self.wfile.write(content[before:])
            for byte in content if pause else b"":
                self.wfile.write(bytes([byte]))
                if self.proxy.released.wait(pause):
                    break
        finally:
            connection.close()

    def _refuse(self, status: int) -> None:
        codes = {
            401: "UNAUTHORIZED",
            403: "DENIED",
            404: "MANIFEST_UNKNOWN",
            429: "TOOMANYREQUESTS",
        }
        error = {"code": codes.get(status, "UNKNOWN"), "message": self.proxy.message}
        body = {"errors": [error]} if self.proxy.coded else {"detail": self.proxy.message}
        headers = {"Content-Type": "application/json"}
        if status == 429:
            headers["Retry-After"] = str(self.proxy.retry_after)
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="test"'
        self._send(status, headers, _json(body))

    def _break_off(self, fault: str, body: bytes) -> None:
        self.close_connection = True
        if fault == "hang":
            self.proxy.released.wait()
        elif fault == "cut":
            self._pass_on(body, part=0.5)
        elif fault == "drip":
            self._pass_on(body, pause=1.0)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def handle(self) -> None:
        """A client that goes away is no news."""
        try:
            super().handle()
        except ConnectionError:
            return
