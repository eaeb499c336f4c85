"""Client and server as two containers on one network."""

from __future__ import annotations

import shutil

import pytest

from pytest_zlayer import ready

pytestmark = [
    pytest.mark.skipif(shutil.which("podman") is None, reason="private networks need podman"),
    pytest.mark.image("..", target="server", name="server"),
    pytest.mark.image("..", target="client", name="client"),
]


@pytest.mark.zlayer_service(name="server")
@pytest.mark.zlayer_service(["sleep", "1000"], name="client")
def test_the_client_finds_the_server_by_its_name(zlayer_services):
    client = zlayer_services["client"]
    assert client.run(["ask", "/"]).stdout == "Good morning\n"
    zlayer_services["server"].wait(ready.log("response:200"))


def test_a_client_that_runs_once(zlayer_images, zlayer_network):
    with (
        zlayer_images["server"].serve(name="server", network=zlayer_network),
        zlayer_images["client"].serve(network=zlayer_network, ready=ready.exited()) as client,
    ):
        assert client.logs() == "Good morning\n"
