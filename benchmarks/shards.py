"""What sharing layers costs and saves: shards of a test run against a registry on loopback.

    python benchmarks/shards.py [SHARDS…] [--images M] [--split]

Builds M images on one machine without and with a place, then runs the shards (1, 5 and 20 by
default) one after the other, each on a storage of its own: all of them need all images, or with
``--split`` each needs its part. Prints processor seconds, wall-clock seconds, requests and bytes.
Processor time is that of all processes of a session, the engine's too; the other seconds say more
of this machine.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.engine.conftest import BUSYBOX, Storage, add_busybox, make_storage  # noqa: E402
from tests.engine.registry.servers import Proxy, running_registry  # noqa: E402

# Other plugins that happen to be installed take more time than this one.
_ALONE = ("-p", "pytest_zlayer.plugin", "-p", "no:cacheprovider")
_CONF = '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'
# Eight steps as services have them: packages, a tool that writes much, sources, a compilation.
DOCKERFILE = f"""\
FROM {BUSYBOX}
RUN dd if=/dev/urandom of=/packages bs=1M count=3 2> /dev/null
RUN echo user:x:1000:1000::/:/bin/sh >> /etc/passwd
WORKDIR /work
COPY common common
RUN for one in $(seq 200); do md5sum common/data > sum; done
COPY own own
RUN cat own/data common/data > all && md5sum all > sum
RUN mkdir cache && echo done > cache/done
"""
TEST = """\
import os
import pytest

IMAGES = os.environ["IMAGES"].split()

@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.image(name, name=name)) for name in IMAGES
])
def test_image(zlayer_image, name):
    assert zlayer_image.config.workdir == "/work"
"""


@dataclass(frozen=True)
class Cost:
    """What one machine has used: seconds, requests, bytes from and to the registry."""

    processor: float
    wall: float
    requests: int
    down: int
    up: int

    @classmethod
    def total(cls, costs: Sequence[Cost]) -> Cost:
        """The sum."""
        return cls(
            sum(one.processor for one in costs),
            sum(one.wall for one in costs),
            sum(one.requests for one in costs),
            sum(one.down for one in costs),
            sum(one.up for one in costs),
        )

    def line(self) -> str:
        """A row of a table."""
        down, up = self.down / 1e6, self.up / 1e6
        return f"{self.processor:8.2f} {self.wall:8.2f} {self.requests:9} {down:9.1f} {up:9.1f}"


class Bench:
    """The registry, its proxy, the images and the machines."""

    def __init__(self, directory: Path, proxy: Proxy, images: int) -> None:
        self.directory = directory
        self.proxy = proxy
        self.place = f"{proxy.address}/bench/zlayer"
        self.images = [f"image-{number}" for number in range(images)]
        self.project = directory / "project"
        self.count = 0
        (directory / "registries.conf").write_text(_CONF)
        self._write_project()

    def _write_project(self) -> None:
        for name in self.images:
            context = self.project / name
            for part in ("common", "own"):
                (context / part).mkdir(parents=True)
            (context / "Dockerfile").write_text(DOCKERFILE)
            (context / "common" / "data").write_bytes(b"common\n" * 20_000)
            (context / "own" / "data").write_text(name * 1000)
        (self.project / "test_images.py").write_text(TEST)
        (self.project / "pytest.ini").write_text("[pytest]\n")

    @contextmanager
    def machine(self) -> Iterator[Storage]:
        """A machine that has the base image, and no layer."""
        self.count += 1
        storage = make_storage(self.directory / f"machine-{self.count}")
        layout = self.directory / f"busybox-{self.count}"
        layout.mkdir()
        add_busybox(storage, layout)
        try:
            yield storage
        finally:
            storage.remove()

    def run(self, storage: Storage, images: Sequence[str], *options: str) -> Cost:
        """Run the tests of these images."""
        self.proxy.requests.clear()
        self.proxy.down = self.proxy.up = 0
        before, since = _used(), time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *_ALONE, *options],
            cwd=self.project,
            env={
                **os.environ,
                "TMPDIR": str(storage.tmpdir),
                "XDG_CACHE_HOME": str(storage.root.parent / "cache"),
                "CONTAINERS_REGISTRIES_CONF": str(self.directory / "registries.conf"),
                "ZLAYER_ROOT": str(storage.root),
                "ZLAYER_RUNROOT": str(storage.runroot),
                "IMAGES": " ".join(images),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            check=True,
            stdout=subprocess.DEVNULL,
        )
        used, wall = _used() - before, time.monotonic() - since
        return Cost(used, wall, len(self.proxy.requests), self.proxy.down, self.proxy.up)


def _used() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", nargs="*", type=int)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--split", action="store_true")
    chosen = parser.parse_args()
    compileall.compile_dir(HERE.parent / "pytest_zlayer", quiet=1)  # as when it is installed
    directory = Path(tempfile.mkdtemp(prefix="zlayer-shards-"))
    try:
        with running_registry(directory) as registry:
            proxy = Proxy(registry)
            bench = Bench(directory, proxy, chosen.images)
            _measure(bench, chosen.shards or [1, 5, 20], split=chosen.split)
            proxy.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measure(bench: Bench, shards: Sequence[int], *, split: bool) -> None:
    print(f"{'':28} cpu s   wall s  requests   MB down     MB up")
    from_place, to_place = (f"--zlayer-cache-{way}={bench.place}" for way in ("from", "to"))
    with bench.machine() as storage:
        print(f"{'builds, no place':24} {bench.run(storage, bench.images).line()}")
    with bench.machine() as storage:
        print(
            f"{'empty place, read only':24} {bench.run(storage, bench.images, from_place).line()}"
        )
    with bench.machine() as storage:
        print(f"{'builds and sends':24} {bench.run(storage, bench.images, to_place).line()}")
        again = bench.run(storage, bench.images, to_place)
        print(f"{'once more, nothing new':24} {again.line()}")
    for count in shards:
        costs = []
        for number in range(count):
            part = bench.images[number % len(bench.images) :: count] if split else bench.images
            with bench.machine() as storage:
                costs.append(bench.run(storage, part, from_place))
        print(f"{f'{count} shards, all fetched':24} {Cost.total(costs).line()}")


if __name__ == "__main__":
    main()
