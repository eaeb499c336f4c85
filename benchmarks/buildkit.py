"""Times builds against Docker's BuildKit and ``buildah build --layers``, in turn, in one run.

    scripts/buildkit-conformance --with python benchmarks/buildkit.py [--runs N] [--only TEXT]

That starts the Docker of Debian 13 in namespaces of its own, and needs root. Every figure is a
median of N runs; ratios are medians of the ratios of one turn. All three have the same base image,
the same files and the same Dockerfile; ours and buildah share a storage.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import bench as benches
import packages
from bench import Bench, benchmark, timed, write_tests

from pytest_zlayer.builder.model.spec import ImageSpec

BASE = f"FROM {benches.BASE}\n"
SMALL = BASE + (
    "ENV LEVEL=3\nCOPY one.txt /opt/\nRUN echo 1 > /a\nRUN echo 2 > /b\nRUN echo 3 > /c\n"
    'LABEL stage=test\nCMD ["cat", "/c"]\n'
)
STAGES = """\
FROM localhost/bench/busybox AS base
RUN mkdir -p /opt/data
COPY one.txt /opt/data/
FROM base AS builder
WORKDIR /src
COPY src /src
RUN cat /src/* > /src/all.txt
RUN gzip -c /src/all.txt > /src/all.gz
FROM base
COPY --from=builder /src/all.gz /opt/
RUN echo ready > /opt/state
"""


def steps(count: int, changed: str = "") -> str:
    """A Dockerfile of so many RUN steps; with ``changed`` the one in the middle is another."""
    lines = [f"RUN echo {number} > /{number}" for number in range(count)]
    if changed:
        lines[count // 2] = f"RUN echo {changed} > /{count // 2}"
    return BASE + "\n".join(lines) + "\n"


class Ways:
    """The same build by each of the three."""

    def __init__(self, bench: Bench, docker: str) -> None:
        self._bench = bench
        self._docker = docker
        self._environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        self._numbers = itertools.count()
        self.add_docker_base(benches.BASE, bench.directory / "busybox.tar")

    def add_docker_base(self, name: str, archive: Path) -> None:
        """An image of Docker with the files of a tar archive."""
        self._docker_run("import", str(archive), name)

    def _docker_run(self, *words: str) -> None:
        subprocess.run(
            [self._docker, *words], check=True, capture_output=True, env=self._environment
        )

    def write(self, text: str) -> Path:
        """A context with this Dockerfile."""
        (self._bench.context / "Dockerfile").write_text(text)
        return self._bench.context

    def ours(self, *options: str) -> None:
        """Our command line, as a whole process."""
        self._bench.new_process(*options)

    def buildah(self, *options: str) -> None:
        """``buildah build --layers``."""
        self._bench.reference(*options)

    def docker(self, *options: str) -> None:
        """``docker build``."""
        self._docker_run("build", "--quiet", "--network=host", *options, str(self._bench.context))

    def cold(self) -> Mapping[str, Callable[[], object]]:
        """Each without its cache."""
        return {
            "ours": lambda: self.ours("--no-cache"),
            "buildah": lambda: self.buildah("--no-cache"),
            "docker": lambda: self.docker("--no-cache"),
        }

    def warm(self) -> Mapping[str, Callable[[], object]]:
        """Each with its cache."""
        return {"ours": self.ours, "buildah": self.buildah, "docker": self.docker}

    def changing(self, count: int) -> Mapping[str, Callable[[], object]]:
        """Each with its cache, and another step in the middle each time."""

        def with_change(build: Callable[[], object]) -> Callable[[], object]:
            def work() -> object:
                self.write(steps(count, f"x{next(self._numbers)}"))
                return build()

            return work

        return {name: with_change(build) for name, build in self.warm().items()}


class Table:
    """What is printed; only rows that have ``only`` in their name are measured."""

    def __init__(self, bench: Bench, runs: int, only: str) -> None:
        self._bench = bench
        self._runs = runs
        self._only = only
        print(f"{'':44}{'ours':>9}{'buildah':>9}{'docker':>9}{'/buildah':>9}{'/docker':>9}")

    def wants(self, *names: str) -> bool:
        """Whether rows that begin so are measured."""
        return any(self._only in f"{name}, cold" for name in names)

    def row(self, name: str, ways: Mapping[str, Callable[[], object]]) -> None:
        """Print a row: the medians, and those of the ratios to the others.

        It begins with base images alone: ``buildah build --layers`` keeps an image for each step,
        and every process that opens the storage reads the list of them.
        """
        if self._only in name:
            benches.clear(self._bench)
            compare(name, self._runs, ways)


def compare(name: str, runs: int, ways: Mapping[str, Callable[[], object]]) -> None:
    """Print one row."""
    for work in ways.values():  # nobody pays for what is done once
        work()
    turns = [{way: timed(work) for way, work in ways.items()} for _ in range(runs)]
    median = {way: statistics.median(turn[way] for turn in turns) for way in ways}
    ratio = {
        way: statistics.median(turn["ours"] / turn[way] for turn in turns)
        for way in ways
        if way != "ours"
    }
    row = "".join(f"{median.get(way, 0):9.3f}" for way in ("ours", "buildah", "docker"))
    row += "".join(
        f"{ratio[way]:9.2f}" if way in ratio else " " * 9 for way in ("buildah", "docker")
    )
    print(f"{name:44}{row}", flush=True)


def many_files(bench: Bench, ways: Ways, table: Table) -> None:
    """20,000 files of 1 kB in 100 directories."""
    for number in range(20_000):
        file = bench.context / "many" / str(number % 100) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(number.to_bytes(4, "big") * 256)
    ways.write(BASE + "COPY many /many\n")
    table.row("20,000 files, cold", ways.cold())
    table.row("20,000 files, unchanged", ways.warm())
    shutil.rmtree(bench.context / "many")


def one_large_file(bench: Bench, ways: Ways, table: Table) -> None:
    """A file of 1 GB that cannot be compressed."""
    large = bench.context / "large"
    with large.open("wb") as file:
        for _ in range(1024):
            file.write(os.urandom(1 << 20))
    ways.write(BASE + "COPY large /large\n")
    table.row("1 GB, cold", ways.cold())
    table.row("1 GB, unchanged", ways.warm())
    large.unlink()


def installations(bench: Bench, ways: Ways, table: Table) -> None:
    """Packages of Debian and of Python, from indexes on this machine."""
    if not table.wants(*packages.dockerfiles("")):
        return
    archive = bench.directory / "debian.tar"
    packages.make_root(archive)
    packages.make_index(bench.directory / "index", archive)
    bench.add_base(packages.BASE, archive)
    ways.add_docker_base(packages.BASE, archive)
    with packages.served(bench.directory / "index") as url:
        for name, text in packages.dockerfiles(url).items():
            ways.write(text)
            table.row(f"{name}, cold", ways.cold())


def in_a_session(bench: Bench, ways: Ways, table: Table) -> None:
    """A cold image in a session that is open already, as the second test of a run has it."""
    ways.write(SMALL)
    session = bench.session()
    numbers = itertools.count()

    def ours() -> object:
        text = SMALL.replace("echo 1 ", f"echo {next(numbers)}{os.getpid()} ")
        return session.build(ImageSpec(context=bench.context, text=text))

    try:
        docker = {"docker": lambda: ways.docker("--no-cache")}
        table.row("D2 cold, in a running session", {"ours": ours, **docker})
    finally:
        session.close()


def pytest_alone(bench: Bench, ways: Ways, table: Table) -> None:
    """A pytest run with one unchanged image; against pytest alone and ``docker build`` after it."""
    project = bench.directory / "alone"
    project.mkdir()
    (project / "test_image.py").write_text(
        "import pytest\n\n\n"
        f"@pytest.mark.image({str(bench.context)!r})\n"
        'def test_image(zlayer_image):\n    assert zlayer_image.config.cmd == ["cat", "/c"]\n'
    )
    (project / "test_alone.py").write_text("def test_alone():\n    pass\n")
    ways.write(SMALL)

    def alone() -> None:
        bench.pytest(project, "-p", "no:zlayer", "test_alone.py")
        ways.docker()

    table.row(
        "pytest, one unchanged image",
        {"ours": lambda: bench.pytest(project, "test_image.py"), "docker": alone},
    )


def pytest_runs(bench: Bench, ways: Ways, table: Table) -> None:
    """A pytest run with 1, 12 and 60 images of one RUN; against as many builds by the others."""
    for count in (1, 12, 60):
        project = bench.directory / f"pytest-{count}"
        names = write_tests(project, count)

        def others(build: Callable[..., None], *options: str) -> None:
            ways.write(benches.IMAGE)
            for name in names:  # noqa: B023 (called at once)
                build(*options, "--build-arg", f"WHICH={name}")

        def cold(build: Callable[..., None]) -> Callable[[], object]:
            return lambda: others(build, "--no-cache")

        def warm(build: Callable[..., None]) -> Callable[[], object]:
            return lambda: others(build)

        ours = {
            "cold": lambda: bench.pytest(project, "--zlayer-no-cache"),  # noqa: B023
            "unchanged": lambda: bench.pytest(project),  # noqa: B023
        }
        for name, way in (("cold", cold), ("unchanged", warm)):
            table.row(
                f"pytest run with {count} images, {name}",
                {"ours": ours[name], "buildah": way(ways.buildah), "docker": way(ways.docker)},
            )


def main() -> None:
    """All rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--isolation", default="oci", help="of pytest-zlayer and of buildah")
    parser.add_argument("--only", default="", help="what the names of rows have in them")
    options = parser.parse_args()
    docker = shutil.which("docker")
    if docker is None:
        sys.exit("there is no docker; start this by scripts/buildkit-conformance --with")
    with benchmark(options.isolation) as bench:
        ways = Ways(bench, docker)
        table = Table(bench, options.runs, options.only)
        for name, text in (
            ("D2", SMALL),
            ("three stages", STAGES),
            ("10 RUN", steps(10)),
            ("50 RUN", steps(50)),
            ("110 RUN", steps(110)),
        ):
            ways.write(text)
            table.row(f"{name}, cold", ways.cold())
            table.row(f"{name}, unchanged", ways.warm())
        for count in (10, 50, 110):
            table.row(f"{count} RUN, one in the middle changed", ways.changing(count))
        for group in (
            one_large_file,
            many_files,
            installations,
            in_a_session,
            pytest_alone,
            pytest_runs,
        ):
            group(bench, ways, table)


if __name__ == "__main__":
    main()
