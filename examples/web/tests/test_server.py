"""The server, asked from outside."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from pytest_zlayer import Service, ready

pytestmark = pytest.mark.image("..", target="server")


def ask(service: Service, path: str = "/") -> str:
    with urllib.request.urlopen(service.url(path), timeout=10) as answer:  # noqa: S310 (http)
        return answer.read().decode()


def test_the_page_is_served(zlayer_service):
    assert ask(zlayer_service) == "Good morning\n"


def test_what_is_missing_is_reported_and_logged(zlayer_service):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(zlayer_service, "/nothing")
    caught.value.close()
    assert caught.value.code == 404
    zlayer_service.wait(ready.log("response:404"))


def test_a_page_can_be_put_in_its_place(zlayer_service, tmp_path):
    (tmp_path / "index.html").write_text("Good night\n")
    zlayer_service.copy_in(tmp_path / "index.html", "/srv/www/index.html")
    assert ask(zlayer_service) == "Good night\n"
    zlayer_service.restart(timeout=1)  # as the first process of a container httpd hears no SIGTERM
    zlayer_service.wait(ready.http())
    assert ask(zlayer_service) == "Good night\n"


def test_it_stops_being_healthy_without_its_file(zlayer_service):
    zlayer_service.wait(ready.healthcheck())
    zlayer_service.run(["rm", "/srv/www/health"])
    assert not ready.healthcheck()(zlayer_service)
