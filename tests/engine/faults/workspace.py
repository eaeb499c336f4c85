"""A storage, a project whose pytest can be ended in any way, and a count of all that is there."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_zlayer.builder.cache.entries import REPOSITORY
from pytest_zlayer.builder.session.prune import prune
from tests.engine.building import make_options, write_files
from tests.engine.conftest import BUSYBOX, Storage
from tests.outer import outer_environment
from tests.waiting import PATIENCE, wait_until

Count = dict[str, list[str]]

# Steps whose layers the storage has already: a run that needs them has little to do.
BUILT = f"FROM {BUSYBOX}\nRUN echo built > /built\nRUN touch /again\n"

# Files beside the store of which there is one, that last: what is known of buildah and the storage,
# the locks of names, lists and pulls, the reserve, when the cache was looked through.
LASTING = {
    "answers.json",
    "cache/tidied",
    "manifests.lock",
    "names.lock",
    "pulls.lock",
    "reserve",
    "storage.json",
}


@contextlib.contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """A small file system in memory."""
    directory.mkdir(exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    if subprocess.run(argv, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def count(storage: Storage) -> Count:
    """All that is in a storage and around it, cached layers aside."""
    cached = f"{REPOSITORY}:"
    return {
        **storage.leftovers(),
        "images": [name for name in storage.image_names() if not name.startswith(cached)],
        "layers of nobody": unused_layers(storage),
        "directories of no layer": stray_directories(storage),
        "our files": our_files(storage),
    }


def unused_layers(storage: Storage) -> list[str]:
    """Layers that no image and no container needs: buildah itself never shows or removes them."""
    layers = {one["id"]: one.get("parent", "") for one in _recorded(storage, "layers")}
    needed = {one.get("layer", "") for one in _recorded(storage, "containers")}
    for image in _recorded(storage, "images"):
        needed |= {image.get("layer", ""), *image.get("mapped-layers", [])}
    queue = list(needed)
    while queue:
        parent = layers.get(queue.pop(), "")
        if parent and parent not in needed:
            needed.add(parent)
            queue.append(parent)
    return sorted(layers.keys() - needed)


def stray_directories(storage: Storage) -> list[str]:
    """Directories of the overlay driver that belong to no layer."""
    known = {one["id"] for one in _recorded(storage, "layers")} | {"l"}
    with contextlib.suppress(FileNotFoundError):
        return sorted(set(os.listdir(storage.root / "overlay")) - known)
    return []


def our_files(storage: Storage) -> list[str]:
    """All that lies beside the store and does not last, without what cached layers need."""
    top = storage.root / "zlayer"
    found = [path.relative_to(top) for path in top.rglob("*") if not path.is_dir()]
    tags = [name.rpartition(":")[2] for name in storage.image_names() if REPOSITORY in name]
    keys = {tag.removeprefix("part-").partition(".")[0] for tag in tags}
    left = {str(path) for path in found if not _is_cached(top, path.parts, keys)}
    return sorted(left - LASTING)


def only_locks(counted: Count) -> bool:
    """Whether nothing is counted but files of locks."""
    files = counted.get("our files", [])
    locks = [file for file in files if file.startswith(("cache/leases/", "cache/locks/"))]
    return counted.keys() == {"our files"} and locks == files


def _is_cached(top: Path, parts: tuple[str, ...], keys: set[str]) -> bool:
    match parts:
        case ("cache", "used", key):
            return key in keys or key.startswith("base-")
        case ("cache", "mounts", name, *inside):
            directory = Path(name.removesuffix(".used"))
            is_one = not directory.suffix and (top / "cache" / "mounts" / directory).is_dir()
            return is_one and (bool(inside) or name.endswith(".used"))
    return False


def _recorded(storage: Storage, kind: str) -> list[dict[str, object]]:
    places = [storage.root / f"overlay-{kind}" / f"{kind}.json"]
    places += storage.runroot.glob(f"overlay-{kind}/{kind}.json")
    found: list[dict[str, object]] = []
    for place in places:
        with contextlib.suppress(FileNotFoundError):
            found += json.loads(place.read_text(encoding="utf-8") or "[]") or []
    return found


def processes(line: str, program: str = "") -> list[int]:
    """Processes with ``line`` in their command line, whose program's file has this name."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            said = line in _command_line(int(name))
            if said and os.readlink(f"/proc/{name}/exe").endswith(program):
                found.append(int(name))
    return found


def executing(line: str) -> list[int]:
    """Processes whose whole command line this is: no shell that is only going to execute it."""
    return [pid for pid in processes(line) if _command_line(pid) == line]


def _command_line(pid: int) -> str:
    """Empty when the process is gone."""
    with contextlib.suppress(OSError):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")
        return line.replace(b"\0", b" ").decode("utf-8", "replace")
    return ""


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Send a signal to processes that may just have ended by themselves."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def parent_of(pid: int) -> int:
    """The parent of a process, 0 when it is gone."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[1])
    return 0


def descends_from(pid: int, ancestor: int) -> bool:
    """Whether a process is below another one."""
    while pid > 1:
        pid = parent_of(pid)
        if pid == ancestor:
            return True
    return False


def cgroups_of(pid: int) -> list[Path]:
    """The control groups made for the container that a process is in."""
    found = []
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "buildah" in path:
            tree = controllers.removeprefix("name=") or "unified"
            found.append(Path("/sys/fs/cgroup") / tree / path.lstrip("/"))
    return found


@dataclass
class Run:
    """A pytest under way in a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    storage: Storage

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """Its exit status, once it has ended: many things may have to go well until then."""
        return self.process.wait(3 * PATIENCE)

    def end(self, code: int) -> str:
        """Wait for its expected end; what it wrote."""
        assert self.wait() == code, self.output()
        return self.output()

    def wait_inside(self, line: str, number: int = 1) -> list[int]:
        """Wait until a RUN executes a command line; the processes that have it."""

        def there() -> list[int]:
            assert self.process.poll() is None, self.output()
            found = executing(line)
            return found if len(found) >= number else []

        return wait_until(there, line)

    def agents(self) -> list[int]:
        """The agents of this run and its workers."""
        found = processes("buildah/agent", "")
        return [pid for pid in found if self._is_agent(pid)]

    def _is_agent(self, pid: int) -> bool:
        parent = parent_of(pid)
        mine = parent == self.process.pid or descends_from(parent, self.process.pid)
        line = _command_line(parent)
        return mine and line != "" and "buildah/agent" not in line

    def workers(self) -> list[int]:
        """The workers of pytest-xdist."""
        found = processes("import sys;exec(eval(sys.stdin.readline()))")
        return [pid for pid in found if parent_of(pid) == self.process.pid]

    def kill(self) -> None:
        """End it if it is still there."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@dataclass
class Workspace:
    """A storage to break things in, with the state it was in before.

    Attributes:
        storage: it has the busybox image and nothing else.
        folder: where projects and their output go.
        nap: ``sleep`` with a number of seconds that no other process sleeps; with its path, since
            a shell may have a ``sleep`` of its own.
        before: what was there.
        prefix: command that pytest is started by.
    """

    storage: Storage
    folder: Path
    nap: str = field(default_factory=lambda: f"/bin/sleep {random.randrange(100_000, 900_000)}")
    before: Count = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    prefix: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.before = count(self.storage)

    @property
    def environment(self) -> dict[str, str]:
        """For projects on this storage."""
        return {
            **outer_environment(),
            "TMPDIR": str(self.storage.tmpdir),
            "XDG_CACHE_HOME": str(self.folder / "user-cache"),
            "PYTHONPATH": "",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DEBUG_TEMPROOT": str(self.folder),  # where pytest keeps its own directories
            "ZLAYER_BUILDAH": self.storage.binary,
            "ZLAYER_ROOT": str(self.storage.root),
            "ZLAYER_RUNROOT": str(self.storage.runroot),
            "ZLAYER_RETRY_DELAY": "0.01",
            "ZLAYER_PROGRESS": "plain",
        }

    def project(self, **files: str) -> Path:
        """Files of a project; names are those of modules."""
        named: dict[str, str | bytes] = {f"{name}.py": text for name, text in files.items()}
        return write_files(self.folder / "project", named)

    def write(self, **files: str) -> Path:
        """Files of a project, named as they are."""
        return write_files(self.folder / "project", dict(files))

    def start(self, *args: str, **environment: str) -> Run:
        """Start pytest on the project, in a session of its own like a terminal's."""
        options = ("-p", "no:cacheprovider")
        return self.start_program("pytest", *options, *args, **environment)

    def start_program(self, module: str, *args: str, **environment: str) -> Run:
        """Start the program that a module is, in the same way."""
        log = self.folder / f"output-{len(self.runs)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", module, *args],
                cwd=self.folder / "project",
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(Run(process, log, self.storage))
        return self.runs[-1]

    def pytest(self, *args: str, code: int = 0, **environment: str) -> str:
        """Run pytest on the project to its expected end; what it wrote."""
        return self.start(*args, **environment).end(code)

    def building(self, *steps: str, base: str = BUSYBOX, **marker: object) -> str:
        """A test module with one test of one image."""
        text = "\n".join([f"FROM {base}", *steps, ""])
        given = "".join(f", {name}={value!r}" for name, value in marker.items())
        return (
            "import pytest\n"
            f"@pytest.mark.image(text={text!r}{given})\n"
            "def test_it(zlayer_image):\n    assert zlayer_image.id\n"
        )

    def start_sleeping(self, *args: str, before: str = "echo begun;", **environment: str) -> Run:
        """Start pytest on one image, and wait until its RUN sleeps."""
        self.project(test_it=self.building(f"RUN {before} {self.nap}"))
        run = self.start(*args, **environment)
        run.wait_inside(self.nap)
        return run

    def sweep(self) -> None:
        """What the next session does before and after its builds."""
        prune(make_options(self.storage))

    def difference(self) -> Count:
        """What is there now and was not before, or the other way round; waits for it to go.

        The files of locks that a killed process held go with the next session.
        """
        until = time.monotonic() + PATIENCE
        while (now := self._difference()) and time.monotonic() < until:
            if only_locks(now):
                self.sweep()
            time.sleep(0.1)
        return now

    def _difference(self) -> Count:
        now = count(self.storage)
        found = {
            kind: sorted({*names, *self.before[kind]} - ({*names} & {*self.before[kind]}))
            for kind, names in now.items()
        }
        running = [line for line in found["processes"] if "pytest" not in line]
        return {kind: names for kind, names in {**found, "processes": running}.items() if names}

    def close(self) -> None:
        """End what a failed test left running."""
        for run in self.runs:
            run.kill()
        send(signal.SIGKILL, processes(self.nap))


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing for a while, with all its locks."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT, [pid])
