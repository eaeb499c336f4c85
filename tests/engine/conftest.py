"""A real buildah on a storage of its own, and a small image to work with."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.agent.journal import is_dead
from pytest_zlayer.buildah.agent.records import LIST_IMAGES
from pytest_zlayer.buildah.engine import Engine
from tests.outer import FEW_PLUGINS
from tests.waiting import wait_until

BUSYBOX = "localhost/test/busybox:1"
_USERS = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
_GROUPS = "root:x:0:\napp:x:1000:\n"
_FOLDERS: list[pytest.TempPathFactory] = []


@dataclass(frozen=True)
class Storage:
    """A container storage for tests: never the user's own."""

    root: Path
    runroot: Path
    tmpdir: Path

    @property
    def binary(self) -> str:
        """The buildah to test with: ``ZLAYER_TEST_BUILDAH``, else the one on PATH."""
        return os.environ.get("ZLAYER_TEST_BUILDAH", "buildah")

    @property
    def environment(self) -> dict[str, str]:
        """The process environment with temporary files kept in here too."""
        return {**os.environ, "TMPDIR": str(self.tmpdir)}

    def open(self, **options: Any) -> Engine:
        """An engine of a new session; the caller closes it."""
        return Engine.open(
            **{
                "buildah": self.binary,
                "environment": self.environment,
                "root": self.root,
                "runroot": self.runroot,
                "session": secrets.token_hex(6),
                **options,
            }
        )

    def sweep(self) -> None:
        """What the next session does about what dead ones left."""
        engine = self.open()
        engine.swept()
        engine.close()

    def wait_until_dead(self, *, living: int = 0) -> None:
        """Wait until all sessions but so many are dead, or have removed what they made.

        One that was killed is not dead, and nobody sweeps it, as long as its commands are ending.
        """

        def alive() -> list[str]:
            journals = [name for name in self._journals() if name.endswith(".json")]
            sessions = self.root / "zlayer" / "sessions"
            return [name for name in journals if not is_dead(str(sessions / name))]

        wait_until(lambda: len(alive()) <= living, "the end of killed sessions")

    def buildah(self, *words: str) -> str:
        """What buildah itself says, without going through the engine."""
        argv = [self.binary, "--root", str(self.root), "--runroot", str(self.runroot)]
        done = subprocess.run(
            [*argv, "--storage-driver", "overlay", *words],
            check=True,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=120,
        )
        return done.stdout

    def container_names(self) -> list[str]:
        """The names of all working containers."""
        found = self._listed("containers", "--all", "--json")
        return sorted(one["containername"] for one in found)

    def image_names(self) -> list[str]:
        """The names of all images; an unnamed one counts with its id."""
        found = self._listed(*LIST_IMAGES)
        return sorted(name for one in found for name in (one["names"] or [one["id"]]))

    def _listed(self, *words: str) -> list[dict[str, Any]]:
        """What a command lists.

        buildah finds all there is, then reads each: when another process removes one meanwhile, the
        command fails. It is asked again then.
        """
        failed = ""
        for _ in range(30):
            try:
                return json.loads(self.buildah(*words) or "[]") or []
            except subprocess.CalledProcessError as error:
                failed = error.stderr
            time.sleep(0.2)
        raise AssertionError(f"buildah {' '.join(words)} fails again and again: {failed}")

    def leftovers(self) -> dict[str, list[str]]:
        """All that a session may leave, besides images: empty lists when nothing is left."""
        return {
            "containers": self.container_names(),
            "mounts": self.mounts(),
            "temporary files": self.temporary_files(),
            "processes": self.processes(),
            "journals": sorted(self._journals()),
        }

    def temporary_files(self) -> list[str]:
        """What lies in the directory for temporary files.

        Without XDG_RUNTIME_DIR buildah itself keeps two directories of an ordinary user there.
        """
        of_buildah = ("containers-user-", "podman-run-")
        return sorted(name for name in os.listdir(self.tmpdir) if not name.startswith(of_buildah))

    def mounts(self) -> list[str]:
        """What is mounted below the storage; buildah keeps the driver's own directory mounted."""
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        points = [line.split()[4] for line in lines]
        return [
            point
            for point in points
            if point.startswith(f"{self.root}/") and point != f"{self.root}/overlay"
        ]

    def processes(self) -> list[str]:
        """Command lines of processes in a container, or working, with this storage."""
        marks = (str(self.root), str(self.tmpdir))
        inside: dict[int, bool] = {}
        found = []
        for pid, line in _processes():
            space = _mount_namespace(pid)
            if space not in inside:
                inside[space] = self._is_mounted_for(pid)
            if inside[space] or any(mark in line for mark in marks):
                found.append(line)
        return found

    def _is_mounted_for(self, pid: int) -> bool:
        """Whether something of this storage is mounted in the namespace of a process.

        What is mounted from there is shown below the root of its file system.
        """
        try:
            mounted = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8")
        except OSError:
            return False
        system = next(one for one in self.tmpdir.parents if one.is_mount())
        return f"/{self.tmpdir.relative_to(system)}/" in mounted

    def _journals(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.root / "zlayer" / "sessions")
        return []

    def remove(self) -> None:
        """Unmounts and removes everything."""
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        points = [line.split()[4] for line in lines if line.split()[4].startswith(str(self.root))]
        for point in sorted(points, key=len, reverse=True):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        if os.geteuid() != 0:  # files belong to subordinate user ids
            remove = [self.binary, "unshare", "rm", "-rf", str(self.root.parent)]
            subprocess.run(remove, check=False, capture_output=True)
        shutil.rmtree(self.root.parent, ignore_errors=True)


def _processes() -> Iterator[tuple[int, str]]:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ")
                yield int(name), line.decode("utf-8", "replace").strip()


def _mount_namespace(pid: int) -> int:
    """Most processes share one: their mounts need not be read again for each of them."""
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:  # it has ended, or belongs to another user: a number that no other one has
        return -pid


def make_storage(directory: Path) -> Storage:
    """An empty storage below a directory."""
    storage = Storage(directory / "root", directory / "runroot", directory / "tmp")
    storage.tmpdir.mkdir(parents=True)
    return storage


@pytest.fixture(scope="module", autouse=True)
def few_plugins() -> Iterator[None]:
    """Runs of pytest that tests here start load this plugin and xdist, none of the others here.

    Loading all would be most of what they do: pytest rewrites the assertions of whole libraries.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FEW_PLUGINS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def all_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of pytest that this test starts load every plugin that is installed, as a user's do."""
    for name in FEW_PLUGINS:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A storage that all tests of a file share."""
    made = make_storage(tmp_path_factory.mktemp("storage"))
    if shutil.which(made.binary) is None:
        pytest.fail("these tests need a real buildah: install it")
    yield made
    made.remove()


@pytest.fixture
def own_storage(tmp_path: Path) -> Iterator[Storage]:
    """A storage for one test alone, for tests that count what is left."""
    made = make_storage(tmp_path / "storage")
    yield made
    made.remove()


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lets ``shared_folder`` make folders where pytest makes its own, and removes them."""
    _FOLDERS[:] = [tmp_path_factory]


def shared_folder(name: str) -> Path:
    """A folder for what is made once in this process.

    Nothing needs to remove it: what ``atexit`` is told does not run in a worker of pytest-xdist.
    """
    return _FOLDERS[0].mktemp(name)


@pytest.fixture(scope="module")
def short_tmpdir() -> Iterator[Path]:
    """A directory for temporary files in which the path of a socket is short enough."""
    with tempfile.TemporaryDirectory(prefix="zl-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    """An engine on the shared storage."""
    opened = storage.open()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def busybox(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an image with all of busybox, the users root and app (1000), and /tmp."""
    return add_busybox(storage, tmp_path_factory.mktemp("busybox"))


@pytest.fixture
def add_image(storage: Storage, tmp_path: Path) -> Callable[..., str]:
    """Puts an image with any configuration into the shared storage: ``add_image(name, config)``."""

    def add(name: str, config: dict[str, Any], **document: Any) -> str:
        layout = write_layout(tmp_path / secrets.token_hex(4), [busybox_layer()], config, document)
        opened = storage.open()
        try:
            opened.images.import_layout(layout, name)
        finally:
            opened.close()
        return name

    return add


def add_busybox(storage: Storage, directory: Path) -> str:
    """Puts the busybox image into a storage; its name.

    Into an empty one as a copy of one that has it: that takes a fiftieth of the time, and sessions
    need not find out anew how commands can be isolated. Not so in scripts, which have no folders of
    pytest, and for ordinary users, whose files belong to subordinate user ids.
    """
    if storage.root.exists() or not _FOLDERS or os.geteuid() != 0:
        _import_busybox(storage, directory)
    else:
        copied = _storage_with_busybox(storage.binary)
        subprocess.run(["cp", "--archive", str(copied), str(storage.root)], check=True)
    return BUSYBOX


@functools.cache
def _storage_with_busybox(binary: str) -> Path:
    """The root of one that no session knows, with the answers of this buildah."""
    storage = make_storage(shared_folder("busybox"))
    _import_busybox(storage, storage.tmpdir.parent)
    _find_out(storage)
    state = storage.root / "zlayer"
    answers = (state / "answers.json").read_bytes()
    shutil.rmtree(state)
    state.mkdir(0o700)
    (state / "answers.json").write_bytes(answers)
    return storage.root


def _find_out(storage: Storage) -> None:
    """Has it found out how commands can be isolated."""
    for isolation in ("auto", "chroot"):
        engine = storage.open(isolation=isolation)
        _ = engine.isolation
        engine.close()


def _import_busybox(storage: Storage, directory: Path) -> None:
    layout = write_layout(directory / "layout", [busybox_layer()], {"Cmd": ["/bin/sh"]}, {})
    engine = storage.open()
    try:
        engine.images.import_layout(layout, BUSYBOX)
    finally:
        engine.close()


def busybox_layer() -> bytes:
    """A layer with /bin full of applets, /etc/passwd, /etc/group, /home/app, /root and /tmp."""
    program = shutil.which("busybox")
    if program is None:
        pytest.fail("these tests need a static busybox: install busybox-static")
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("bin", "etc", "home", "root"):
            tar.addfile(_directory(name, 0o755))
        tar.addfile(_directory("tmp", 0o1777))
        tar.addfile(_directory("home/app", 0o755, owner=1000))
        _add_file(tar, "etc/passwd", _USERS.encode(), 0o644)
        _add_file(tar, "etc/group", _GROUPS.encode(), 0o644)
        _add_file(tar, "bin/busybox", Path(program).read_bytes(), 0o755)
        for applet in applets.stdout.split():
            if applet != "busybox":
                tar.addfile(_link(f"bin/{applet}", "busybox"))
    return buffer.getvalue()


def _directory(name: str, mode: int, owner: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
    return info


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    return info


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, BytesIO(content))


def write_layout(
    directory: Path, layers: list[bytes], config: dict[str, Any], document: dict[str, Any]
) -> Path:
    """An OCI layout with one image; ``document`` adds to its configuration document."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    described = [_blob(blobs, "layer.v1.tar", layer) for layer in layers]
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in described]},
        **document,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _blob(blobs, "config.v1+json", json.dumps(image).encode()),
        "layers": described,
    }
    entry = _blob(blobs, "manifest.v1+json", json.dumps(manifest).encode())
    index = {"schemaVersion": 2, "manifests": [entry]}
    (directory / "index.json").write_text(json.dumps(index), encoding="ascii")
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="ascii")
    return directory


def _blob(blobs: Path, kind: str, content: bytes) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    media = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


@pytest.fixture
def ordinary_home(tmp_path: Path) -> Iterator[Path]:
    """A directory that an ordinary user can reach; below pytest's own nobody else can."""
    made = Path("/var/tmp") / f"ordinary-{os.getpid()}-{tmp_path.name}"
    yield made
    for directory in (made, made.with_name(f"{made.name}.etc")):
        subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=True)
