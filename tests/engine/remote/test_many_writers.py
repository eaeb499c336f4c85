"""Many machines that finish the same layers at once."""

from __future__ import annotations

import multiprocessing
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands.skopeo import find_skopeo
from pytest_zlayer.buildah.process.command import ByteSink, Completed
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.builder.oci.chain import HistoryEntry
from pytest_zlayer.builder.remote.blobs import compress, decompress
from pytest_zlayer.builder.remote.entry import Entry
from pytest_zlayer.builder.remote.registry import RegistryCache
from pytest_zlayer.builder.stopping import go_on
from tests.engine.registry.servers import Registry, layer_of, running_registry

WRITERS = 20
KEYS = [f"{number}" * 64 for number in range(1, 4)]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path) as running:
        yield running


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_line: LineSink | None = None,
    stdout: ByteSink | None = None,
) -> Completed:
    """A process without the agent, which needs a storage."""
    done = subprocess.run(argv, capture_output=True, check=False, timeout=timeout)
    if stdout is not None:
        stdout.write(done.stdout)
    lines = tuple(done.stderr.decode().splitlines())
    for line in lines if on_line is not None else ():
        on_line("stderr", line)
    return Completed(tuple(argv), done.returncode, (), lines, 0.0)


def cache(repository: str, scratch: Path, conf: Path) -> RegistryCache:
    environment = {"PATH": "/usr/bin:/bin", "CONTAINERS_REGISTRIES_CONF": str(conf)}
    skopeo = find_skopeo(run, environment, authfile=None)
    return RegistryCache(repository, skopeo, scratch / "fetched", 120.0)


def write(number: int, repository: str, directory: Path, conf: Path) -> None:
    """What one machine does: three layers of its own, under the keys of all."""
    scratch = directory / f"writer-{number}"
    blobs = scratch / "layout" / "blobs" / "sha256"
    scratch.mkdir()
    layers = []
    for place in range(len(KEYS)):
        data = layer_of("who", f"{number} {place}")
        file = scratch / f"layer-{place}"
        file.write_bytes(data)
        layers.append(compress(file, f"sha256:{sha256(data).hexdigest()}", blobs, go_on))
    entry = Entry(
        base=(),
        keys={key: count for count, key in enumerate(KEYS, 1)},
        layers=tuple(layers),
        history=tuple(HistoryEntry(f"COPY {number}") for _ in layers),
        created=1_700_000_000.0 + number,
        platform=("amd64", "linux", ""),
    )
    cache(repository, scratch, conf).send(entry, blobs, KEYS, go_on)


def test_every_tag_is_an_entry_of_one_machine(registry: Registry, tmp_path: Path) -> None:
    repository = f"{registry.address}/team/zlayer"
    conf = tmp_path / "registries.conf"
    conf.write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=write, args=(number, repository, tmp_path, conf))
        for number in range(WRITERS)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * WRITERS
    reader = cache(repository, tmp_path, conf)
    assert reader.keys() == set(KEYS)
    for key in KEYS:
        fetched = reader.fetch(key)
        assert fetched is not None
        who = set()
        for place, one in enumerate(fetched.entry.layers):
            tar = tmp_path / f"read-{place}"
            decompress(one, fetched.blobs / one.digest[7:], tar, go_on)
            with tarfile.open(tar) as archive:
                content = archive.extractfile("who")
                assert content is not None
                who.add(content.read().decode().split()[0])
        assert len(who) == 1  # never the layers of different machines
        assert fetched.entry.history[0].created_by == f"COPY {who.pop()}"
