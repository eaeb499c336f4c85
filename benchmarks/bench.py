"""A storage with a base image and a build context, and both ways of building on it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.build_session import BuildSession

BASE = "localhost/bench/busybox"
# One of many images, and how a build argument tells them apart.
IMAGE = f"FROM {BASE}\nARG WHICH\nRUN echo $WHICH > /which\n"

TEN_STEPS = """\
FROM localhost/bench/busybox AS base
RUN mkdir -p /opt/data
COPY one.txt /opt/data/
ENV LEVEL=3
FROM base AS builder
WORKDIR /src
COPY src /src
RUN cat /src/* > /src/all.txt
RUN gzip -c /src/all.txt > /src/all.gz
FROM base
COPY --from=builder /src/all.gz /opt/
RUN echo ready > /opt/state
RUN ls -l /opt
CMD ["cat", "/opt/state"]
"""

SHARED = """\
FROM localhost/bench/busybox AS base
RUN mkdir -p /opt/base && echo {number} > /opt/base/number
COPY src /opt/src
FROM base AS tools
RUN cat /opt/src/* > /opt/tools
FROM base AS data
RUN seq 1 2000 > /opt/data
FROM base AS app
COPY --from=tools /opt/tools /opt/
COPY --from=data /opt/data /opt/
RUN wc -l /opt/data /opt/tools
"""


class Bench:
    """Storage, base image and context of one benchmark run."""

    def __init__(self, directory: Path, isolation: str) -> None:
        self.directory = directory
        self.root, self.runroot = directory / "root", directory / "runroot"
        self.isolation = isolation
        storage = ("--root", str(self.root), "--runroot", str(self.runroot))
        # Where the command line works.
        self.words = (*storage, "--isolation", isolation)
        self.context = directory / "context"
        self.environment = {
            name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
        }
        self._make_context()
        self._make_base()

    def _make_context(self) -> None:
        (self.context / "src").mkdir(parents=True)
        (self.context / "one.txt").write_text("one\n")
        for number in range(20):
            (self.context / "src" / f"{number}.txt").write_text(f"{number}\n" * 1000)
        (self.context / "Dockerfile").write_text(TEN_STEPS)
        for number in range(4):
            text = SHARED.format(number=number)
            (self.context / f"shared{number}.Dockerfile").write_text(text)

    def _make_base(self) -> None:
        archive = self.directory / "busybox.tar"
        with tarfile.open(archive, "w") as tar:
            busybox = shutil.which("busybox")
            if busybox is None:
                sys.exit("a static busybox is needed (package busybox-static)")
            tar.add(busybox, "bin/busybox")
            names = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
            for name in names.stdout.split():
                if name != "busybox":
                    link = tarfile.TarInfo(f"bin/{name}")
                    link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(link)
        self.add_base(BASE, archive)

    def add_base(self, name: str, archive: Path) -> None:
        """An image with the files of a tar archive."""
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        self.buildah("commit", "--quiet", container, name)
        self.buildah("rm", container)

    def buildah(self, *arguments: str) -> str:
        """Run buildah on the benchmark's storage."""
        storage = ["--root", str(self.root), "--runroot", str(self.runroot)]
        done = subprocess.run(
            ["buildah", *storage, "--storage-driver", "overlay", *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={**self.environment, "BUILDAH_ISOLATION": self.isolation},
        )
        return done.stdout

    def reference(self, *options: str, dockerfile: str = "Dockerfile", target: str = "") -> None:
        """``buildah build --layers``, on the network of the host as ours."""
        chosen = ["--target", target] if target else []
        self.buildah(
            "build", "--layers", "--pull=false", "--quiet", *options, *chosen,
            "--network=host", "--runtime", "runc",
            "-f", str(self.context / dockerfile), str(self.context),
        )  # fmt: skip

    def session(self, **options: object) -> BuildSession:
        """A session on the benchmark's storage."""
        return BuildSession(
            BuildOptions(
                root=self.root,
                runroot=self.runroot,
                isolation=self.isolation,
                environment=self.environment,
                **options,  # type: ignore[arg-type]
            )
        )

    def ours(self, *, no_cache: bool = False) -> None:
        """One build in a session of its own."""
        session = self.session(no_cache=no_cache)
        try:
            session.build(ImageSpec(context=self.context))
        finally:
            session.close()

    def new_process(self, *options: str) -> None:
        """One build by the command line, in a new process."""
        command = [sys.executable, "-m", "pytest_zlayer", "build", str(self.context), *self.words]
        subprocess.run(
            [*command, "--progress", "quiet", *options],
            check=True, capture_output=True, env=self.environment,
        )  # fmt: skip

    def pytest(self, project: Path, *words: str, **variables: str) -> None:
        """A run of pytest in a project, on this storage."""
        ours = {
            "ZLAYER_ROOT": str(self.root),
            "ZLAYER_RUNROOT": str(self.runroot),
            "ZLAYER_ISOLATION": self.isolation,
        }
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
            check=True, cwd=project, env={**self.environment, **ours, **variables},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip


def write_tests(project: Path, count: int) -> list[str]:
    """A test file that needs so many images; their values of ``WHICH``."""
    project.mkdir(exist_ok=True)
    names = [f"n{number}" for number in range(count)]
    (project / "test_images.py").write_text(
        "import pytest\n\n\n"
        f"@pytest.mark.image(text={IMAGE!r}, matrix={{'WHICH': {names!r}}})\n"
        "def test_image(zlayer_image):\n    assert zlayer_image.id\n"
    )
    return names


def timed(action: Callable[[], object]) -> float:
    """Seconds ``action`` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def clear(bench: Bench) -> None:
    """Remove everything but the base images."""
    while found := [
        one["id"]
        for one in json.loads(bench.buildah("images", "--all", "--json") or "[]")
        if not any(name.startswith("localhost/bench/") for name in one["names"] or ())
    ]:
        # What others are built on goes with a later round.
        for image in found:
            with contextlib.suppress(subprocess.CalledProcessError):
                bench.buildah("rmi", "--force", image)


def remove(directory: Path) -> None:
    """Remove a directory with the storage in it."""
    subprocess.run(
        ["umount", str(directory / "root" / "overlay")], check=False, capture_output=True
    )
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def benchmark(isolation: str) -> Iterator[Bench]:
    """One that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="zlayer-bench-", dir="/var/tmp"))
    try:
        yield Bench(directory, isolation)
    finally:
        remove(directory)
