"""How the time of builds grows: with steps, images, workers, and what the storage holds.

    python benchmarks/growth.py [--runs N] [--only TEXT]

Each row is a median of N runs, and says what one step, image or worker of it takes; the sizes take
turns. ``/buildah`` is the ratio to ``buildah build --layers`` for the same work. Needs buildah and
a static busybox. Not quick: about half an hour for one run of everything.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence

from bench import BASE, IMAGE, Bench, benchmark, clear, timed, write_tests

from pytest_zlayer.builder.model.spec import ImageSpec

# Layers of one image are limited to 127, so many steps are in stages of their own.
STEPS_OF_A_STAGE = 100
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


class Table:
    """What is printed; only groups that have ``only`` in their name are measured."""

    def __init__(self, bench: Bench, runs: int, only: str) -> None:
        self.bench = bench
        self._runs = runs
        self._only = only

    def group(
        self,
        name: str,
        sizes: Sequence[int],
        ours: Callable[[int], float],
        reference: Callable[[int], float] | None = None,
        *,
        divided: bool = True,
    ) -> None:
        """Prints a row for each size.

        Args:
            name: of the group.
            sizes: numbers of what grows.
            ours: seconds for so many.
            reference: seconds of ``buildah build``.
            divided: whether the last column is for one of them.
        """
        if self._only not in name:
            return
        turns = [
            {size: (ours(size), reference(size) if reference else 0.0) for size in sizes}
            for _ in range(self._runs)
        ]
        for size in sizes:
            seconds = statistics.median(turn[size][0] for turn in turns)
            row = f"{name:36}{size:6}{seconds:10.3f} s"
            if divided:
                row += f"{seconds / size:10.4f} s each"
            if reference:
                ratio = statistics.median(turn[size][0] / turn[size][1] for turn in turns)
                row += f"{ratio:8.2f} /buildah"
            print(row, flush=True)


def many_steps(count: int, word: str) -> str:
    """A Dockerfile of so many RUN steps."""
    lines = []
    stages = [range(at, min(at + STEPS_OF_A_STAGE, count)) for at in range(0, count, 100)]
    for number, stage in enumerate(stages):
        lines += [f"FROM {BASE} AS s{number}", *(f"RUN echo {word}{one} > /{one}" for one in stage)]
    last = len(stages) - 1
    lines += [f"COPY --from=s{number} /{number}00 /from/" for number in range(last)]
    return "\n".join(lines) + "\n"


def steps(table: Table) -> None:
    """10 to 1,000 RUN steps, cold and unchanged, in processes of their own."""
    bench = table.bench
    words = (f"w{os.getpid()}x{number}x" for number in itertools.count())

    def cold(build: Callable[[], object]) -> Callable[[int], float]:
        def work(count: int) -> float:
            (bench.context / "Dockerfile").write_text(many_steps(count, next(words)))
            return timed(build)

        return work

    def unchanged(build: Callable[[], object]) -> Callable[[int], float]:
        def work(count: int) -> float:
            (bench.context / "Dockerfile").write_text(many_steps(count, "same"))
            build()
            return timed(build)

        return work

    table.group("RUN steps, cold", (10, 100, 1000), cold(bench.new_process), cold(bench.reference))
    table.group(
        "RUN steps, unchanged", (10, 100, 1000),
        unchanged(bench.new_process), unchanged(bench.reference),
    )  # fmt: skip


def images(table: Table) -> None:
    """1 to 100 images of one RUN each in one run of pytest, cold and unchanged."""
    bench = table.bench
    project = bench.directory / "images"

    def by_buildah(count: int, *options: str) -> None:
        (bench.context / "Dockerfile").write_text(IMAGE)
        for number in range(count):
            bench.reference(*options, "--build-arg", f"WHICH=n{number}")

    def cold(count: int) -> float:
        write_tests(project, count)
        return timed(lambda: bench.pytest(project, "--zlayer-no-cache"))

    def unchanged(count: int) -> float:
        write_tests(project, count)
        bench.pytest(project)
        return timed(lambda: bench.pytest(project))

    def buildah_unchanged(count: int) -> float:
        by_buildah(count)
        return timed(lambda: by_buildah(count))

    table.group(
        "images of a pytest run, cold", (1, 12, 100),
        cold, lambda count: timed(lambda: by_buildah(count, "--no-cache")),
    )  # fmt: skip
    table.group("images of a pytest run, unchanged", (1, 12, 100), unchanged, buildah_unchanged)


def stored(table: Table) -> None:
    """One image more, in a storage that holds 10 to 1,000 images."""
    bench = table.bench
    numbers = itertools.count()

    def fill(count: int) -> None:
        session = bench.session()
        try:
            for _ in range(count - len(bench.buildah("images", "--all", "--quiet").split())):
                text = f"FROM {BASE}\nLABEL number={os.getpid()}-{next(numbers)}\n"
                session.build(ImageSpec(text=text, context=bench.context))
        finally:
            session.close()

    def one_more(count: int) -> float:
        fill(count)
        text = f"FROM {BASE}\nRUN echo {os.getpid()}-{next(numbers)} > /one\n"
        (bench.context / "Dockerfile").write_text(text)
        return timed(bench.new_process)

    # From few to many, and what is there stays: the storage is not emptied between the runs.
    for count in (10, 100, 1000):
        table.group("one image more, images stored", (count,), one_more, divided=False)
    clear(bench)


def workers(table: Table) -> None:
    """A session with 12 images on 1 to 8 workers of pytest-xdist."""
    bench = table.bench
    project = bench.directory / "workers"
    project.mkdir()
    (project / "test_images.py").write_text(WORKERS)
    (project / "conftest.py").write_text(RECORDER)
    record = bench.directory / "record"
    executed: dict[int, set[int]] = {}

    def run(number: int, *, together: bool) -> float:
        """Seconds from the first build's beginning to the last one's end.

        Args:
            number: of workers.
            together: whether they begin to build when all of them have started.
        """
        clear(bench)
        record.unlink(missing_ok=True)
        started = tempfile.mkdtemp(dir=bench.directory)
        wait: Mapping[str, str] = {"TOGETHER": started} if together else {}
        bench.pytest(project, f"-n{number}", RECORD=str(record), **wait)
        lines = [line.split() for line in record.read_text().splitlines()]
        moments = [float(moment) for moment, _ in lines]
        executed.setdefault(number, set()).add(sum(what == "run" for _, what in lines))
        return max(moments) - min(moments)

    sizes = (1, 2, 4, 8)
    for name, together in (("with their start", False), ("all started", True)):
        table.group(
            f"workers, 12 images, {name}",
            sizes,
            lambda number: run(number, together=together),  # noqa: B023  # called at once
            divided=False,
        )
    for number, counts in executed.items():
        print(f"  RUN steps executed by {number}: {', '.join(map(str, sorted(counts)))}")


def main() -> None:
    """All groups."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--isolation", default="oci", help="for both sides")
    parser.add_argument("--only", default="", help="what the names of groups have in them")
    options = parser.parse_args()
    with benchmark(options.isolation) as bench:
        table = Table(bench, options.runs, options.only)
        for group in (steps, images, workers, stored):
            group(table)


if __name__ == "__main__":
    main()
