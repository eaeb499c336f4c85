"""Conditions: what they refuse, and what they ask."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.services import conditions, ready

PORT = "a port must be a number from 1 to 65535, not"
STATUS = "ready.http: a status must be a number from 100 to 599, not"
CODE = "ready.exited: an exit code must be a number from 0 to 255, not"
EACH = "each argument of ready.all must be a"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ready.port("http"), f"ready.port: {PORT} 'http'"),
        (lambda: ready.port(0), f"ready.port: {PORT} 0"),
        (lambda: ready.port(True), f"ready.port: {PORT} True"),
        (lambda: ready.http(5), "ready.http: 5 is not a path"),
        (lambda: ready.http("http://a/b"), "ready.http: 'http://a/b' is not a path"),
        (lambda: ready.http(port="80"), f"ready.http: {PORT} '80'"),
        (lambda: ready.http(status="200"), f"{STATUS} '200'"),
        (lambda: ready.http(status=[200, "201"]), f"{STATUS} '201'"),
        (lambda: ready.http(status=()), f"{STATUS} ()"),
        (lambda: ready.http(status=None), f"{STATUS} None"),
        (lambda: ready.log(5), "ready.log: 5 is neither a text nor a pattern of one"),
        (lambda: ready.log(re.compile(b"x")), "ready.log: b'x' is neither a text nor a pattern"),
        (lambda: ready.log("x", stream="both"), "ready.log: stream must be stdout or stderr"),
        (lambda: ready.command(5), "a command must be a text or a list of words, not 5"),
        (lambda: ready.command([]), "there is no command to run"),
        (lambda: ready.command(["a", None]), "a word of a command must be a text, not None"),
        (lambda: ready.command("a\0"), "a command cannot contain a NUL character"),
        (lambda: ready.exited("0"), f"{CODE} '0'"),
        (lambda: ready.exited(None), f"{CODE} None"),
        (lambda: ready.all("port"), f"{EACH} condition, not 'port'"),
        (lambda: ready.all(ready.log), f"{EACH} condition, and ready.log only makes one"),
        (lambda: ready.all(lambda: True), f"{EACH} function of one argument, the service"),
    ],
)
def test_what_cannot_become_true_is_refused_at_once(make, message):
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.message.startswith(message)


def test_a_function_that_returns_a_condition_is_not_taken_for_ready():
    def is_up(service):
        return ready.port()

    with pytest.raises(UsageError, match=r"is_up\(service\) returned a condition"):
        conditions.begin(is_up, SimpleNamespace())()


def test_a_path_is_asked_for_as_browsers_write_it(monkeypatch):
    monkeypatch.setattr(conditions, "_PATIENCE", 60)
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service = SimpleNamespace(address=lambda _: server.server_address)
        for path in ("/ä b?x=1&y=%20", "health"):
            assert ready.http(path, status=[200, 204])(service)
        server.shutdown()
    assert asked == ["/%C3%A4%20b?x=1&y=%20", "/health"]
