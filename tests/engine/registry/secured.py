"""What registries of companies ask for: TLS under an authority of their own, and tokens."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_NAMES = "subjectAltName=IP:127.0.0.1"


def _openssl(*words: str | Path, data: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *map(str, words)], check=True, capture_output=True, input=data
    ).stdout


@dataclass(frozen=True)
class Authority:
    """A certificate authority made on the spot, and the certificate of 127.0.0.1 it has signed."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> Authority:
        """Make both."""
        directory.mkdir()
        made = cls(directory)
        new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        _openssl(
            *new, "-x509", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", directory / "ca.key", "-out", made.certificate,
        )  # fmt: skip
        request, extensions = directory / "request", directory / "extensions"
        _openssl(*new, "-subj", "/CN=127.0.0.1", "-keyout", made.server_key, "-out", request)
        extensions.write_text(_NAMES, encoding="ascii")
        _openssl(
            "x509", "-req", "-days", "2", "-in", request, "-extfile", extensions,
            "-CA", made.certificate, "-CAkey", directory / "ca.key", "-out", made.server,
        )  # fmt: skip
        return made

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.directory / "ca.crt"

    @property
    def server(self) -> Path:
        """The certificate of 127.0.0.1."""
        return self.directory / "server.crt"

    @property
    def server_key(self) -> Path:
        """The key of 127.0.0.1."""
        return self.directory / "server.key"

    def trust(self, home: Path, address: str) -> None:
        """Have the user of this home directory trust it, for one registry."""
        place = home / ".config" / "containers" / "certs.d" / address
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(self.certificate.read_bytes())


class TokenServer:
    """Gives tokens for a registry: ``writer`` may push, ``reader`` only pull; both by password.

    Attributes:
        granted: the users and scopes that were asked for.
    """

    def __init__(self, authority: Authority, password: str) -> None:
        self.authority = authority
        self.password = password
        self.granted: list[tuple[str, str]] = []
        handler = type("Handler", (_TokenHandler,), {"tokens": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def configuration(self) -> str:
        """What the configuration of a registry says of it."""
        realm = f"http://127.0.0.1:{self._server.server_port}/token"
        return (
            f"auth: {{token: {{realm: '{realm}', service: test, issuer: test, "
            f"rootcertbundle: '{self.authority.server}'}}}}\n"
        )

    def token(self, user: str, scopes: list[str]) -> str:
        """A token for these scopes, as far as the user may."""
        access = []
        for scope in scopes:
            kind, name, wanted = scope.split(":")
            actions = [one for one in wanted.split(",") if user == "writer" or one == "pull"]
            access.append({"type": kind, "name": name, "actions": actions})
        now = int(time.time())
        claims = {
            "iss": "test", "sub": user, "aud": "test", "jti": secrets.token_hex(8),
            "iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
        }  # fmt: skip
        der = _openssl("x509", "-in", self.authority.server, "-outform", "DER")
        chain = [base64.b64encode(der).decode()]
        header = {"typ": "JWT", "alg": "ES256", "x5c": chain}
        signed = ".".join(_web(json.dumps(one).encode()) for one in (header, claims))
        key = self.authority.server_key
        signature = _openssl("dgst", "-sha256", "-sign", key, data=signed.encode())
        return f"{signed}.{_web(_plain(signature))}"

    def close(self) -> None:
        """Give no more."""
        self._server.shutdown()
        self._server.server_close()


def _web(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _plain(signature: bytes) -> bytes:
    """The two numbers of an ECDSA signature, out of their DER: 32 bytes each."""
    at, numbers = 2, b""
    for _ in range(2):
        size = signature[at + 1]
        number = signature[at + 2 : at + 2 + size].lstrip(b"\0")
        numbers += number.rjust(32, b"\0")
        at += 2 + size
    return numbers


class _TokenHandler(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_GET(self) -> None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if kind != "Basic" or password != self.tokens.password:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        self.tokens.granted += [(user, scope) for scope in scopes]
        body = json.dumps({"token": self.tokens.token(user, scopes), "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def token_server(authority: Authority, password: str) -> Iterator[TokenServer]:
    """A token server, ended afterwards."""
    server = TokenServer(authority, password)
    try:
        yield server
    finally:
        server.close()


def write_login(file: Path, address: str, user: str, password: str) -> Path:
    """An authfile with one login."""
    known = base64.b64encode(f"{user}:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {address: {"auth": known}}}), encoding="ascii")
    return file
