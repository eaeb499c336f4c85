"""What starting costs: one RUN by each way of starting it, and loading the package.

    python benchmarks/start.py [REPETITIONS]

Prints medians. The ways alternate, so that other work on the machine meets all of them. For what is
loaded processor time is printed too, which such work changes least; it does not count a RUN, which
is no child of this process. Where valgrind is installed, instructions are counted: those do not
depend on other work at all.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.run_request import RunRequest

LOADED = {
    "python": "pass",
    "pytest": "import pytest",
    "plugin": "import pytest, pytest_zlayer.plugin",
    "building session": "import pytest, pytest_zlayer.builder.session.build_session",
}
IDLE = ("-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider")
COUNTED = {
    "import pytest": ("-c", LOADED["pytest"]),
    "import of the building session": ("-c", LOADED["building session"]),
    "pytest without the plugin": (*IDLE, "-p", "no:zlayer"),
    "pytest with the idle plugin": IDLE,
}


def processor_seconds() -> float:
    """Of this process and all that have ended below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(works: Mapping[str, Callable[[], object]], repetitions: int) -> None:
    """Does each in turn, again and again, and prints what it took."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(repetitions):
        for name, work in works.items():
            since, used = time.monotonic(), processor_seconds()
            work()
            found[name].append((time.monotonic() - since, processor_seconds() - used))
    for name, times in found.items():
        wall, cpu = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
        processor = f"   processor {cpu:6.0f} ms" if name in LOADED else ""
        print(f"{name:28} wall {wall:6.0f} ms{processor}")


def runs(directory: Path, repetitions: int) -> None:
    """One RUN in a container that is there, by every way that works here."""
    works: dict[str, Callable[[], object]] = {}
    engines = []
    for isolation in ("auto", "buildah", "chroot"):
        engine = Engine.open(
            environment={**os.environ, "TMPDIR": str(directory)}, root=directory / "root",
            runroot=directory / "runroot", isolation=isolation, session=isolation,
        )  # fmt: skip
        engines.append(engine)
        works[f"RUN, isolation {isolation}"] = run_of(engine)
    try:
        measure(works, repetitions)
        print(*(engine.describe() for engine in engines), sep="\n")
    finally:
        for engine in engines:
            engine.close()


def run_of(engine: Engine) -> Callable[[], object]:
    """A command that does nothing; once by now, so that everything is known that is remembered."""
    container = engine.from_image("scratch")
    program = Path(shutil.which("busybox") or "/bin/busybox")
    engine.copy_in(container, program, "/bin/true")
    request = RunRequest(container, ["/bin/true"], user="0:0")
    engine.run(request)
    return lambda: engine.run(request)


def load(statement: str) -> None:
    """Starts Python with everything compiled already."""
    subprocess.run([sys.executable, "-c", statement], check=True)


def count(argv: Sequence[str], directory: Path) -> float:
    """Millions of instructions of a Python that has everything compiled already."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    log = directory / "valgrind"
    options = ("--cache-sim=no", f"--log-file={log}", f"--cachegrind-out-file={os.devnull}")
    for prefix in ((), ("valgrind", "--tool=cachegrind", *options)):
        subprocess.run(
            [*prefix, sys.executable, *argv], check=False, cwd=directory, env=environment,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    found = re.search(r"I\s+refs:\s+([0-9,]+)", log.read_text(encoding="utf-8"))
    return int(found[1].replace(",", "")) / 1e6 if found else 0.0


def instructions() -> None:
    """What starting costs, whatever else the machine does."""
    if shutil.which("valgrind") is None:
        return
    with tempfile.TemporaryDirectory() as directory:
        for name, argv in COUNTED.items():
            print(f"{name:32} {count(argv, Path(directory)):6.0f} million instructions", flush=True)


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    measure({name: partial(load, text) for name, text in LOADED.items()}, repetitions)
    instructions()
    directory = Path(tempfile.mkdtemp(prefix="zlayer-benchmark-"))
    try:
        runs(directory, repetitions)
    finally:
        subprocess.run(["umount", "--lazy", str(directory / "root" / "overlay")], check=False)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
