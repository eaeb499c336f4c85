"""Times builds against ``buildah build --layers``, side by side in one run.

    python benchmarks/build.py [--runs N]

Every figure is a median of N runs; the two sides take turns. Needs buildah and a static busybox.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bench import Bench, benchmark, clear, timed

from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation


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
                ImageSpec(context=bench.context, tags=(f"localhost/test/t:{next(names)}",))
            )

        compare("unchanged rebuild, same session", runs, again, bench.reference, 0.05)
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


def twelve(bench: Bench, runs: int) -> None:
    """Twelve images, cold, against one ``buildah build`` each."""

    def cold(action: Callable[[Bench], None]) -> float:
        clear(bench)
        return timed(lambda: action(bench))

    pairs = [(cold(twelve_ours), cold(twelve_reference)) for _ in range(runs)]
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    mine = statistics.median(pair[0] for pair in pairs)
    theirs = statistics.median(pair[1] for pair in pairs)
    verdict = "met" if ratio <= 0.45 else "missed"
    name = "12 images of 4 Dockerfiles, cold"
    print(f"{name:44} {mine:7.3f} s {theirs:7.3f} s {ratio:6.2f}  (goal 0.45: {verdict})")


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
        remote=_refuse,
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


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--isolation", default="chroot", help="for both sides")
    options = parser.parse_args()
    with benchmark(options.isolation) as bench:
        print(f"{'':44} {'ours':>9} {'buildah':>9} {'ratio':>6}")
        compare(
            "cold 10-step build",
            options.runs,
            lambda: bench.ours(no_cache=True),
            lambda: bench.reference("--no-cache"),
            0.6,
        )
        second_image(bench, options.runs)
        compare(
            "unchanged rebuild, new process", options.runs, bench.new_process, bench.reference, 0.5
        )
        twelve(bench, max(options.runs // 2, 1))
        digests(bench.directory)


if __name__ == "__main__":
    main()
