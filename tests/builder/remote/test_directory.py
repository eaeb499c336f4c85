"""A directory as a cache place: entries come back, several processes write, damage is reported."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer.builder.oci.chain import HistoryEntry
from pytest_zlayer.builder.remote.blobs import compress
from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.entry import Entry, EntryError
from pytest_zlayer.builder.remote.place import PlaceError, ReadOnlyPlace

AS_ROOT = os.geteuid() == 0


def nothing() -> None:
    pass


def key(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def made(tmp_path: Path, mark: str, created: float = 1e9) -> tuple[Entry, Path]:
    """An entry with one layer of its own, and its blobs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(mark))
    tar = tmp_path / "tar"
    tar.write_bytes(buffer.getvalue())
    blobs = tmp_path / "made" / "blobs" / "sha256"
    digest = f"sha256:{sha256(buffer.getvalue()).hexdigest()}"
    layer = compress(tar, digest, blobs, nothing)
    history = (HistoryEntry(f"RUN {mark}"),)
    entry = Entry(
        base=(), keys={key(0): 1}, layers=(layer,), history=history, created=created,
        platform=("amd64", "linux", ""),
    )  # fmt: skip
    return entry, blobs


@pytest.fixture
def place(tmp_path: Path) -> DirectoryCache:
    return DirectoryCache(tmp_path / "place")


def test_a_place_that_does_not_exist_has_nothing(place: DirectoryCache) -> None:
    assert place.keys() == frozenset()
    assert place.fetch(key(1)) is None
    assert not place.path.exists()


def test_an_entry_comes_back_under_each_of_its_keys(place: DirectoryCache, tmp_path: Path) -> None:
    entry, blobs = made(tmp_path, "a")
    assert place.send(entry, blobs, [key(1), key(2)], nothing) > 0
    assert place.keys() == {key(1), key(2)}
    for one in (key(1), key(2)):
        found = place.fetch(one)
        assert found is not None
        assert found.entry == entry
        assert (found.blobs / entry.layers[0].digest[7:]).exists()


def test_what_is_there_is_not_sent_again(place: DirectoryCache, tmp_path: Path) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    assert place.send(entry, blobs, [key(2)], nothing) == 0


def test_the_last_writer_of_a_key_wins(place: DirectoryCache, tmp_path: Path) -> None:
    for mark in "ab":
        entry, blobs = made(tmp_path, mark)
        place.send(entry, blobs, [key(1)], nothing)
    found = place.fetch(key(1))
    assert found is not None
    assert found.entry.history[0].created_by == "RUN b"
    assert len(json.loads((place.path / "index.json").read_bytes())["manifests"]) == 1


@pytest.mark.skipif(not AS_ROOT, reason="skopeo is only tried once")
def test_skopeo_reads_it(place: DirectoryCache, tmp_path: Path) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    argv = ["skopeo", "copy", "--quiet", "--preserve-digests"]
    argv += [f"oci:{place.path}:{key(1)}", f"oci:{tmp_path / 'copy'}:{key(1)}"]
    subprocess.run(argv, check=True, timeout=60)
    found = DirectoryCache(tmp_path / "copy").fetch(key(1))
    assert found is not None
    assert found.entry == entry


WRITER = """
import sys
from pathlib import Path
from typing import Any
sys.path[:0] = {path!r}
from tests.builder.remote.test_directory import DirectoryCache, key, made, nothing
work = Path(sys.argv[1]) / sys.argv[2]
work.mkdir()
for number in range(5):
    entry, blobs = made(work, f"{{sys.argv[2]}}-{{number}}")
    DirectoryCache(Path(sys.argv[1]) / "place").send(
        entry, blobs, [key(int(sys.argv[2]) * 10 + number), key(1000)], nothing)
"""


def test_eight_processes_write_at_once(place: DirectoryCache, tmp_path: Path) -> None:
    program = WRITER.format(path=[*sys.path, os.getcwd()])
    argv = [sys.executable, "-c", program, str(tmp_path)]
    writers = [subprocess.Popen([*argv, str(number)]) for number in range(8)]
    assert [one.wait(120) for one in writers] == [0] * 8
    assert len(place.keys()) == 8 * 5 + 1
    assert all(place.fetch(one) is not None for one in sorted(place.keys()))
    left = [file.name for file in place.path.rglob(".*") if file.name != ".zlayer.lock"]
    assert left == []


def test_entries_that_are_too_old_go_with_their_blobs(
    place: DirectoryCache, tmp_path: Path
) -> None:
    old, blobs = made(tmp_path, "old")
    place.send(old, blobs, [key(1)], nothing)
    new, blobs = made(tmp_path, "new", created=4e9)
    place.send(new, blobs, [key(2)], nothing)
    for file in place.path.rglob("*"):
        os.utime(file, (1e9, 1e9))
    removed, size = place.prune(max_age=1000)
    assert removed == 1
    assert size > 0
    assert place.keys() == {key(2)}
    files = {file.name for file in (place.path / "blobs" / "sha256").iterdir()}
    assert old.layers[0].digest[7:] not in files
    assert new.layers[0].digest[7:] in files


@pytest.mark.parametrize("ahead", [0, 86400], ids=["exact", "clock of another machine"])
def test_blobs_of_an_entry_that_is_just_being_written_stay(
    place: DirectoryCache, tmp_path: Path, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [], nothing)
    clock = SimpleNamespace(time=lambda: time.time() + ahead)
    monkeypatch.setattr("pytest_zlayer.builder.remote.directory.time", clock)
    place.prune(max_age=1000)
    assert (place.path / "blobs" / "sha256" / entry.layers[0].digest[7:]).exists()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"manifests": [1]}', b"[" * 100_000])
def test_an_index_that_is_none_ends_the_place(place: DirectoryCache, text: bytes) -> None:
    place.path.mkdir()
    (place.path / "index.json").write_bytes(text)
    with pytest.raises(PlaceError, match=r"index\.json"):
        place.keys()


def test_an_index_of_any_length_is_not_read(place: DirectoryCache) -> None:
    place.path.mkdir()
    with (place.path / "index.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PlaceError, match=r"index\.json has more than 64000000 bytes"):
        place.keys()


REF = "org.opencontainers.image.ref.name"


@pytest.mark.parametrize("other", [{"annotations": REF}, {"annotations": {REF: "f" * 64}}])
def test_what_else_is_in_the_index_does_not_matter(
    place: DirectoryCache, tmp_path: Path, other: dict[str, Any]
) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    index = json.loads((place.path / "index.json").read_bytes())
    index["manifests"].append(other)
    (place.path / "index.json").write_text(json.dumps(index))
    assert place.keys() == {key(1)}
    assert place.send(entry, blobs, [key(2)], nothing) == 0
    assert place.fetch(key(2)) is not None


@pytest.mark.parametrize("content", [b"", b"x", b"{}"])
def test_a_damaged_blob_is_an_unusable_entry(
    place: DirectoryCache, tmp_path: Path, content: bytes
) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    manifest = sha256(entry.manifest()).hexdigest()
    (place.path / "blobs" / "sha256" / manifest).write_bytes(content)
    with pytest.raises(EntryError):
        place.fetch(key(1))


def test_a_digest_in_the_index_is_never_a_path(place: DirectoryCache, tmp_path: Path) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    index = json.loads((place.path / "index.json").read_bytes())
    index["manifests"][0]["digest"] = "sha256:../../../../etc/hostname"
    (place.path / "index.json").write_text(json.dumps(index))
    with pytest.raises(EntryError, match="without a sha256 digest"):
        place.fetch(key(1))


def test_a_place_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    entry, blobs = made(tmp_path, "a")
    with pytest.raises(PlaceError):
        DirectoryCache(tmp_path / "file" / "place").send(entry, blobs, [key(1)], nothing)


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_place_that_may_only_be_read_is_reported_apart(
    place: DirectoryCache, tmp_path: Path
) -> None:
    entry, blobs = made(tmp_path, "a")
    place.send(entry, blobs, [key(1)], nothing)
    place.path.chmod(0o555)
    with pytest.raises(ReadOnlyPlace):
        place.send(replace(entry, created=2e9), blobs, [key(2)], nothing)
