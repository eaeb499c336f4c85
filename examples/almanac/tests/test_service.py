"""The image at work: commands in it, and its service on loopback."""

from __future__ import annotations

import json
import socket
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer import Container, Image

pytestmark = pytest.mark.image("..", build_args={"PLACES": "oslo quito"})
# The image's own entry point, until the test that asked for it makes a file.
UNTIL_TOLD = '"$@" & while [ ! -e /control/stop ]; do sleep 0.1; done; kill $!'


@pytest.fixture
def port() -> Iterator[int]:
    """A free port that nobody else gets while this socket has it; the service may listen there."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def fetch(url: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read()


def is_healthy(url: str) -> bool:
    try:
        return fetch(f"{url}/cgi-bin/health") == (200, b"ok\n")
    except OSError:
        return False


def wait_until_healthy(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_healthy(url):
        assert time.monotonic() < deadline, f"{url} is not healthy after {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def service(zlayer_image: Image, tmp_path: Path, port: int) -> Iterator[str]:
    """The service of the image, started for one test; gives its address."""
    tmp_path.chmod(0o755)  # the service runs as another user
    entrypoint = [*(zlayer_image.config.entrypoint or ()), "-p", f"127.0.0.1:{port}"]
    server = threading.Thread(
        target=zlayer_image.run,
        args=(["/bin/sh", "-c", UNTIL_TOLD, "sh", *entrypoint],),
        kwargs={
            "network": "host",
            "mounts": {tmp_path: "/control:ro"},
            "timeout": 120,
            "check": False,
        },
    )
    server.start()
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        (tmp_path / "stop").touch()
        server.join()


def test_the_service_answers_for_a_day(service: str) -> None:
    status, body = fetch(f"{service}/cgi-bin/day?place=oslo&date=2026-12-21")
    assert status == 200
    assert json.loads(body) == {
        "place": "oslo",
        "date": "2026-12-21",
        "sunrise": "08:18",
        "sunset": "14:12",
        "daylight": 354,
    }


def test_the_service_serves_pages_with_their_stylesheet(service: str) -> None:
    _, page = fetch(f"{service}/oslo.html")
    stylesheet = page.decode().split('href="')[1].split('"')[0]
    assert fetch(service + stylesheet)[0] == 200


def test_the_service_does_not_leave_its_tables(service: str) -> None:
    assert fetch(f"{service}/cgi-bin/day?place=../oslo&date=2026-12-21") == (
        404,
        b'{"error": "no such place"}\n',
    )


def test_commands_run_as_the_user_of_the_image(zlayer_image: Image) -> None:
    assert zlayer_image.run(["id", "-un"]).stdout == "almanac\n"


def test_the_service_cannot_change_what_it_serves_from(zlayer_image: Image) -> None:
    refused = zlayer_image.run(["sh", "-c", "echo > /srv/almanac/cgi-bin/day"], check=False)
    assert refused.exit_code == 1
    assert "Permission denied" in refused.stderr


def test_the_archive_holds_all_tables(zlayer_container: Container, tmp_path: Path) -> None:
    archive = zlayer_container.copy_out("/srv/almanac/almanac.tar.gz", tmp_path)
    with tarfile.open(archive) as tar:
        names = [member.name for member in tar if member.isfile()]
    assert sorted(names) == ["days/oslo.csv", "days/quito.csv"]


def test_the_manifest_of_checksums_holds_in_the_image(zlayer_image: Image) -> None:
    result = zlayer_image.run(["sha256sum", "-c", "SHA256SUMS"], workdir="/srv/almanac")
    assert "FAILED" not in result.stdout


def test_the_health_check_fails_while_nothing_listens(zlayer_image: Image) -> None:
    probe = zlayer_image.config.healthcheck
    assert probe is not None
    assert zlayer_image.run(["/bin/sh", "-c", probe.test[-1]], check=False).exit_code == 1
