"""A web server on loopback for tests of remote sources, and a way to run git."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BODY = b"content of the file"


class Server:
    """An HTTP server on loopback that remembers what it was asked."""

    def __init__(self, repositories: Path) -> None:
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self.bodies: dict[str, bytes] = {}
        self.repositories = repositories
        self._server = _Listener(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Listener(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # One that has gone is no error, and by then the output may be that of another test.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            server.authorizations.append(self.headers.get("Authorization"))
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
            elif path == "/odd":
                self._answer(BODY, length="²")
            elif path == "/dated":
                self._answer(BODY, date="Thu, 01 Jan 2015 00:00:07 GMT")
            else:
                self._answer(server.bodies.get(path, BODY))

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def _answer(self, body: bytes, length: int | str | None = None, date: str = "") -> None:
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
