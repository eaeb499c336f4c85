"""Times builds against ``buildah build --layers``, side by side in one run.

    python benchmarks/build.py [--runs N]

Every figure is a median of N runs; the two sides take turns. Needs buildah and a static busybox.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.build_session import BuildSession
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation

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
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        self.buildah("commit", "--quiet", container, "localhost/bench/busybox")
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
        """``buildah build --layers``."""
        chosen = ["--target", target] if target else []
        self.buildah(
            "build", "--layers", "--pull=false", "--quiet", *options, *chosen,
            "--runtime", "runc", "-f", str(self.context / dockerfile), str(self.context),
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

    def new_process(self) -> None:
        """One build by the command line, in a new process."""
        storage = ["--root", str(self.root), "--runroot", str(self.runroot)]
        subprocess.run(
            [sys.executable, "-m", "pytest_zlayer", "build", str(self.context), *storage,
             "--isolation", self.isolation, "--progress", "quiet"],
            check=True, capture_output=True, env=self.environment,
        )  # fmt: skip


def timed(action: Callable[[], object]) -> float:
    """Seconds ``action`` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def compare(
    name: str, runs: int, ours: Callable[[], object], reference: Callable[[], object], goal: float
) -> None:
    """Print the medians of both sides and their ratio."""
    pairs = [(timed(ours), timed(reference)) for _ in range(runs)]
    mine = statistics.median(pair[0] for pair in pairs)
    theirs = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    verdict = "met" if ratio <= goal else "missed"
    print(f"{name:44} {mine:7.3f} s {theirs:7.3f} s {ratio:6.2f}  (goal {goal}: {verdict})")


def second_image(bench: Bench, runs: int) -> None:
    """An unchanged rebuild inside one session."""
    session = bench.session()
    try:
        session.build(ImageSpec(context=bench.context))
        names = iter(range(10_000))

        def again() -> None:
            session.build(
                ImageSpec(context=bench.context, tags=(f"localhost/bench/t:{next(names)}",))
            )

        compare("unchanged rebuild, same session", runs, again, bench.reference, 0.1)
    finally:
        session.close()


def twelve_ours(bench: Bench) -> None:
    """Twelve images from four Dockerfiles with shared stages, in one session, as tests get them."""
    session = bench.session(no_cache=False)
    specs = [
        ImageSpec(context=bench.context, dockerfile=f"shared{number}.Dockerfile", target=target)
        for number in range(4)
        for target in ("tools", "data", "app")
    ]
    try:
        session.prebuild(specs)
        for spec in specs:
            session.build(spec)
    finally:
        session.close()


def twelve_reference(bench: Bench) -> None:
    """The same by one ``buildah build`` each."""
    for number in range(4):
        for target in ("tools", "data", "app"):
            bench.reference(dockerfile=f"shared{number}.Dockerfile", target=target)


def clear(bench: Bench) -> None:
    """Remove everything but the base image."""
    while found := [
        one["id"]
        for one in json.loads(bench.buildah("images", "--all", "--json") or "[]")
        if not any(name.startswith("localhost/bench/busybox") for name in one["names"] or ())
    ]:
        # What others are built on goes with a later round.
        for image in found:
            with contextlib.suppress(subprocess.CalledProcessError):
                bench.buildah("rmi", "--force", image)


def twelve(bench: Bench, runs: int) -> None:
    """Twelve images, cold, against one ``buildah build`` each."""

    def cold(action: Callable[[Bench], None]) -> float:
        clear(bench)
        return timed(lambda: action(bench))

    pairs = [(cold(twelve_ours), cold(twelve_reference)) for _ in range(runs)]
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    mine = statistics.median(pair[0] for pair in pairs)
    theirs = statistics.median(pair[1] for pair in pairs)
    verdict = "met" if ratio <= 0.5 else "missed"
    name = "12 images of 4 Dockerfiles, cold"
    print(f"{name:44} {mine:7.3f} s {theirs:7.3f} s {ratio:6.2f}  (goal 0.5: {verdict})")


WORKERS = """\
import pytest

IMAGES = [f"{name}-{number}" for number in range(3) for name in "abcd"]


@pytest.mark.image(
    text="FROM localhost/bench/busybox\\nARG WHICH\\nRUN echo $WHICH > /which\\nRUN cat /which\\n",
    matrix={"WHICH": IMAGES},
)
def test_image(zlayer_image):
    assert zlayer_image.path("/which").exists()
"""
RECORDER = """\
import os
import pathlib
import time

import pytest

from pytest_zlayer.events import BuildComplete, BuildStarted, StepComplete


def pytest_zlayer_event(event):
    done = isinstance(event, StepComplete) and not event.cached and event.text.startswith("RUN")
    if done or isinstance(event, (BuildStarted, BuildComplete)):
        with open(os.environ["RECORD"], "a") as file:
            file.write(f"{time.time()} {'run' if done else 'build'}\\n")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session):
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or "TOGETHER" not in os.environ:
        return
    ready = pathlib.Path(os.environ["TOGETHER"])
    (ready / worker).touch()
    while len(list(ready.iterdir())) < int(os.environ["PYTEST_XDIST_WORKER_COUNT"]):
        time.sleep(0.01)
"""


def workers(bench: Bench, runs: int) -> None:
    """A session with 12 images on 8 workers of pytest-xdist, against one worker."""
    project = bench.directory / "project"
    project.mkdir()
    (project / "test_images.py").write_text(WORKERS)
    (project / "conftest.py").write_text(RECORDER)
    record = bench.directory / "record"
    environment = {
        **bench.environment,
        "RECORD": str(record),
        "ZLAYER_ROOT": str(bench.root),
        "ZLAYER_RUNROOT": str(bench.runroot),
        "ZLAYER_ISOLATION": bench.isolation,
    }

    def run(number: int, *, together: bool) -> tuple[float, int]:
        """Seconds from the first build's beginning to the last one's end, and RUNs executed.

        Args:
            number: of workers.
            together: whether they begin to build when all of them have started.
        """
        clear(bench)
        record.unlink(missing_ok=True)
        started = Path(tempfile.mkdtemp(dir=bench.directory))
        told = {"TOGETHER": str(started)} if together else {}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"-n{number}"]
        subprocess.run(
            command, cwd=project, env={**environment, **told}, check=True, stdout=subprocess.DEVNULL
        )
        lines = [line.split() for line in record.read_text().splitlines()]
        moments = [float(moment) for moment, _ in lines]
        return max(moments) - min(moments), sum(what == "run" for _, what in lines)

    counts: set[tuple[int, int]] = set()
    for together in (True, False):
        pairs = [(run(8, together=together), run(1, together=together)) for _ in range(runs)]
        counts.update((many[1], one[1]) for many, one in pairs)
        ratio = statistics.median(many[0] / one[0] for many, one in pairs)
        eight = statistics.median(many[0] for many, _ in pairs)
        single = statistics.median(one[0] for _, one in pairs)
        verdict = "met" if ratio <= 1.1 else "missed"
        name = f"8 workers against 1, {'all started' if together else 'with their start'}"
        print(f"{name:44} {eight:7.3f} s {single:7.3f} s {ratio:6.2f}  (goal 1.1: {verdict})")
    print(f"  RUN steps executed, 8 workers and 1: {', '.join(map(str, sorted(counts)))}")


def digests(directory: Path) -> None:
    """The digest of large contexts, cold and warm, against sha256sum on all cores."""
    for name, count, size in (("50,000 files of 1 kB", 50_000, 1024), ("2 GB", 64, 32 << 20)):
        context = directory / f"files-{count}"
        cache = directory / f"digests-{count}"
        _fill(context, count, size)
        time.sleep(2.5)  # files changed just now are not remembered
        _sum(context)  # warms the page cache
        cold = timed(lambda: _digest(context, cache))  # noqa: B023  # called at once
        reference = timed(lambda: _sum(context))  # noqa: B023
        warm = timed(lambda: _digest(context, cache))  # noqa: B023
        print(f"digest of {name}: cold {cold:.2f} s, sha256sum {reference:.2f} s, ", end="")
        print(f"ratio {cold / reference:.2f}; warm {warm:.2f} s")
        shutil.rmtree(context)


def _digest(context: Path, cache: Path) -> None:
    operation = CopyOperation(
        instruction=None,  # type: ignore[arg-type]  # only read for messages
        kind="COPY",
        sources=("/",),
        files=(),
        destination="/",
    )
    Sources(
        ImageSpec(context=context),
        base_image=_refuse,
        mounted=None,  # type: ignore[arg-type]  # for images only
        digests=Digests(cache),
        scratch=lambda name: context / name,
        fetch=_refuse,
    ).select(operation)


def _refuse(*_: object) -> NoReturn:
    raise AssertionError("only local files are read")


def _sum(context: Path) -> None:
    command = f"find {context} -type f -print0 | xargs -0 -P $(nproc) -n 500 sha256sum"
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


def _fill(context: Path, count: int, size: int) -> None:
    block = os.urandom(size)
    for number in range(count):
        folder = context / str(number % 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.bin").write_bytes(number.to_bytes(8, "big") + block[8:])


def remove(directory: Path) -> None:
    """Remove a directory with the storage in it."""
    subprocess.run(
        ["umount", str(directory / "root" / "overlay")], check=False, capture_output=True
    )
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--isolation", default="chroot", help="for both sides")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="zlayer-bench-", dir="/var/tmp"))
    try:
        bench = Bench(directory, options.isolation)
        print(f"{'':44} {'ours':>9} {'buildah':>9} {'ratio':>6}")
        compare(
            "cold 10-step build",
            options.runs,
            lambda: bench.ours(no_cache=True),
            lambda: bench.reference("--no-cache"),
            0.8,
        )
        second_image(bench, options.runs)
        compare(
            "unchanged rebuild, new process", options.runs, bench.new_process, bench.reference, 0.6
        )
        twelve(bench, max(options.runs // 2, 1))
        workers(bench, max(options.runs // 2, 1))
        digests(directory)
    finally:
        remove(directory)


if __name__ == "__main__":
    main()
