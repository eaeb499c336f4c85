"""The modules of pytest-testinfra on a Debian image, inside a container and a service."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from pytest_zlayer.services.ports import claim_free_port
from tests.engine.building import building
from tests.engine.services.conftest import podman_works, session_environment
from tests.waiting import wait_until

pytest.importorskip("testinfra")
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="needs mmdebstrap"),
]
TEXT = """\
FROM scratch
ADD debian.tar /
EXPOSE 6379
CMD ["redis-server", "--port", "{port}"]
"""
ENGINES = ["buildah", *(["podman"] if podman_works() else [])]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("debian")
    ready_made = os.environ.get("ZLAYER_TEST_DEBIAN_ROOTFS")
    if ready_made:
        shutil.copyfile(ready_made, folder / "debian.tar")
    else:
        words = ["--quiet", "--variant=essential", "--include=redis-server,procps,iproute2"]
        subprocess.run(["mmdebstrap", *words, "bookworm", str(folder / "debian.tar")], check=True)
    return folder


@pytest.fixture(scope="module", params=["auto", "chroot"])
def image(request, context, shared_storage):
    environment = session_environment(shared_storage)
    with building(
        shared_storage.storage, isolation=request.param, environment=environment
    ) as builds:
        yield builds.build(TEXT, context)


def assert_modules_work(host, port):
    passwd = host.file("/etc/passwd")
    assert (passwd.exists, passwd.user, passwd.group, passwd.mode) == (True, "root", "root", 0o644)
    assert passwd.contains("^redis:")
    package = host.package("redis-server")
    assert package.is_installed
    assert package.version.startswith("5:7")
    assert not host.package("nginx").is_installed
    [process] = host.process.filter(comm="redis-server")
    assert process.user == "root"
    assert host.socket(f"tcp://0.0.0.0:{port}").is_listening
    assert not host.socket("tcp://0.0.0.0:1").is_listening
    assert host.service("redis-server").is_enabled
    assert host.user("redis").home == "/var/lib/redis"
    assert host.system_info.distribution == "debian"


@pytest.mark.parametrize("engine", ENGINES)
def test_in_a_service(image, engine):
    with image.serve(engine=engine, port=6379) as service:
        inside = 6379 if engine == "podman" else service.port
        assert_modules_work(service.testinfra(), inside)


@pytest.fixture
def port():
    """One of this machine, on whose network commands are: no other process takes it."""
    claim = claim_free_port()
    yield int(claim.value)
    claim.release()


def test_in_a_container(image, port):
    with image.container() as container:
        container.run(["redis-server", "--port", str(port), "--daemonize", "yes"])
        # It listens only after the command has ended.
        asked = ["redis-cli", "-p", str(port), "ping"]
        wait_until(lambda: container.run(asked, check=False).stdout == "PONG\n", "it listens")
        assert_modules_work(container.testinfra(), port)
