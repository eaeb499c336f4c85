"""A mirror with a bad day: the RUN step that fetches from it fails once, and is tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pytest_zlayer import BuildError, Image

PLACES = b"# fetched\nUlaanbaatar\t47.920\t106.917\n"


class Mirror(HTTPServer):
    """Answers its first ``failures`` requests with 503."""

    failures = 0
    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.requests += 1
        good = self.server.requests > self.server.failures
        self.send_response(200 if good else 503)
        self.end_headers()
        if good:
            self.wfile.write(PLACES)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are counted, not shown."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_step_that_failed_once_succeeds_on_retry(
    mirror: Mirror, zlayer_build: Callable[..., Image]
) -> None:
    mirror.failures = 1
    image = zlayer_build(
        "..", target="places", build_args={"MIRROR": mirror.url}, network="host", retries=2
    )
    assert mirror.requests == 2
    (fetch,) = [step for step in image.build.steps if step.stage == "places" and "RUN" in step.text]
    assert fetch.attempts == 2
    assert image.path("/places/places.tsv").read_bytes() == PLACES
    # The step also writes a line to this file: the failed attempt left none behind.
    assert image.path("/places/log").read_text() == f"places from {mirror.url}\n"


def test_without_retries_the_bad_day_fails_the_build(
    mirror: Mirror, zlayer_build: Callable[..., Image]
) -> None:
    mirror.failures = 1
    with pytest.raises(BuildError) as failure:
        zlayer_build(
            "..", target="places", build_args={"MIRROR": mirror.url}, network="host", retries=0
        )
    assert failure.value.attempts == 1
    assert any("503" in line for line in failure.value.tail)
