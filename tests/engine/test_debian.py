"""A real Debian: apt-get and pip inside RUN, a wheel built in one stage and used in the next.

Needs mmdebstrap and the network (a Debian mirror, the Python package index).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.builder.image.built_image import Image
from tests.engine.building import building, write_files
from tests.engine.conftest import Storage

# Their image takes a minute: one worker builds it.
pytestmark = pytest.mark.network

DOCKERFILE = """\
FROM scratch AS debian
ADD debian.tar /
COPY ca.crt /usr/local/share/ca.crt
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends python3

FROM debian AS builder
RUN apt-get install -y --no-install-recommends python3-pip
COPY project /src
ENV PIP_CERT=/usr/local/share/ca.crt
RUN --mount=type=cache,target=/root/.cache/pip \\
    pip wheel --no-build-isolation --wheel-dir /wheels /src

FROM debian
COPY --from=builder /wheels /wheels
RUN <<EOT
set -e
mkdir /opt/app
for wheel in /wheels/*.whl; do python3 -m zipfile -e "$wheel" /opt/app; done
rm -r /wheels
useradd --system app
EOT
USER app
ENV PYTHONPATH=/opt/app
ENTRYPOINT ["python3", "-m", "greeter"]
"""

PROJECT: dict[str, str | bytes] = {
    "setup.py": (
        "from setuptools import setup\n"
        'setup(name="greeter", version="1", py_modules=["greeter"], install_requires=["six"])\n'
    ),
    "greeter.py": 'import six\n\nprint(six.ensure_str(b"hello from a wheel"))\n',
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minimal Debian as a tar archive, and a small Python project."""
    directory = tmp_path_factory.mktemp("debian")
    if shutil.which("mmdebstrap") is None:
        pytest.fail("this test needs mmdebstrap: install it, or deselect with -m 'not network'")
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(directory / "debian.tar")],
        check=True,
    )
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", directory / "ca.crt")
    write_files(directory / "project", PROJECT)
    return directory


@pytest.fixture(scope="module")
def image(storage: Storage, context: Path) -> Iterator[Image]:
    """The image with the wheel in it."""
    with building(storage, retry_delay=2.0) as builds:
        yield builds.build(DOCKERFILE, context, retries=2)


def test_the_wheel_runs_with_its_dependency(image: Image) -> None:
    assert image.run().stdout == "hello from a wheel\n"


def test_the_runtime_image_has_no_build_tools(image: Image) -> None:
    assert not image.path("/usr/bin/pip3").exists()
    assert not image.path("/wheels").exists()
    assert image.stage("builder").path("/usr/bin/pip3").exists()


def test_packages_are_configured_and_the_user_exists(image: Image) -> None:
    state = image.run(["dpkg-query", "-W", "-f", "${Status}", "python3"])

    assert state.stdout == "install ok installed"
    assert image.run(["id", "-un"]).stdout == "app\n"
