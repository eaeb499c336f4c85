"""All facts of a file tree as plain values, and how two of them differ."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs

from .case import Dir, File, Gone, Hard, Link, Special, Things, plain

Facts: TypeAlias = "dict[str, Any]"
Snapshot: TypeAlias = "dict[str, Facts]"

# Anything younger was given the time of the build.
_OLD = 1_500_000_000
_SHOWN = 400


@dataclass(frozen=True)
class Difference:
    """One fact that is not the same; ``what`` names it: a path and a fact, or ``config X``."""

    what: str
    ours: Any
    expected: Any

    def __str__(self) -> str:
        return f"{self.what}: {self.ours!r}, expected {self.expected!r}"


def take(rootfs: Rootfs) -> Snapshot:
    """Every file of a tree with its type, mode, owner, content, links, time and attributes."""
    found: Snapshot = {}
    names: dict[tuple[int, int], str] = {}
    for path, entry in _walk(rootfs, "/"):
        facts = found[path] = _facts(rootfs, path, entry)
        if entry.kind != "directory" and entry.links > 1:
            facts["same file as"] = names.setdefault(entry.inode, path)
    return found


def _walk(rootfs: Rootfs, path: str) -> Iterator[tuple[str, Entry]]:
    entry = rootfs.lstat(path)
    yield path, entry
    if entry.kind == "directory":
        for name in rootfs.listdir(path):
            yield from _walk(rootfs, posixpath.join(path, name))


def _facts(rootfs: Rootfs, path: str, entry: Entry) -> Facts:
    facts: Facts = {"kind": entry.kind, "owner": f"{entry.uid}:{entry.gid}"}
    if entry.kind == "symlink":
        facts["target"] = entry.target
    else:
        facts["mode"] = f"{entry.mode:04o}"
    if entry.kind == "file":
        with rootfs.open(path) as file:
            facts["content"] = _content(file.read())
    if entry.device is not None:
        facts["device"] = entry.device
    seconds = entry.mtime_ns // 10**9
    facts["time"] = seconds if seconds < _OLD else "of the build"
    xattrs = {
        name: value
        for name, value in rootfs.xattrs(path).items()
        if not name.startswith(("trusted.overlay.", "user.overlay.", "security.selinux"))
        and not name.startswith("user.containers.")
    }
    if xattrs:
        facts["attributes"] = xattrs
    return facts


def _content(data: bytes) -> bytes | str:
    if len(data) <= _SHOWN:
        return data
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"


def compare(ours: Snapshot, expected: Snapshot) -> Iterator[Difference]:
    """Every fact that differs; a path that only one tree has differs in its kind."""
    for path in sorted(ours.keys() | expected.keys(), key=lambda one: one.encode(errors="replace")):
        here, there = ours.get(path), expected.get(path)
        if here is None or there is None:
            yield Difference(f"{path} kind", here and here["kind"], there and there["kind"])
            continue
        for fact in sorted(here.keys() | there.keys()):
            if fact == "time" and isinstance(there[fact], str):
                continue  # the reference did not keep it
            if here.get(fact) != there.get(fact):
                yield Difference(f"{path} {fact}", here.get(fact), there.get(fact))


def compare_stated(image: Snapshot, base: Snapshot, tree: Things) -> Iterator[Difference]:
    """Where an image is not its base with ``tree`` on top. Times count where ``tree`` has them."""
    wanted: Snapshot = {path: dict(facts) for path, facts in base.items()}
    timed: set[str] = set()
    for name, thing in tree.items():
        path = posixpath.join("/", name).rstrip("/") or "/"
        stated = plain(name, thing)
        if isinstance(stated, Gone):
            wanted.pop(path)
            continue
        if isinstance(stated, Hard):
            wanted[path] = wanted[stated.of]
            wanted[path]["same file as"] = min(path, stated.of)
            continue
        wanted[path] = _stated_facts(stated)
        if getattr(stated, "mtime", None) is not None:
            timed.add(path)
    yield from compare(_without_times(image, timed), _without_times(wanted, timed))


def _without_times(snapshot: Snapshot, timed: set[str]) -> Snapshot:
    return {
        path: {key: value for key, value in facts.items() if key != "time" or path in timed}
        for path, facts in snapshot.items()
    }


def _stated_facts(thing: File | Dir | Link | Special) -> Facts:
    facts: Facts = {"owner": getattr(thing, "owner", "0:0")}
    if not isinstance(thing, Link):
        facts["mode"] = f"{thing.mode:04o}"
    match thing:
        case File():
            facts |= {"kind": "file", "content": _content(thing.data)}
            if thing.xattrs:
                facts["attributes"] = dict(thing.xattrs)
        case Dir():
            facts["kind"] = "directory"
        case Link():
            facts |= {"kind": "symlink", "target": thing.target}
        case Special():
            facts["kind"] = thing.kind
            if thing.kind in ("character", "block"):
                facts["device"] = thing.device
    facts["time"] = getattr(thing, "mtime", None)
    return facts


_CONFIG = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
    "StopSignal", "Healthcheck", "Shell", "OnBuild",
)  # fmt: skip


def configuration(document: Mapping[str, Any]) -> Facts:
    """The configuration of an image, without what is empty and what buildah signs it with."""
    inner = document.get("config") or {}
    found = {name: inner.get(name) for name in _CONFIG}
    labels = dict(found["Labels"] or {})
    labels.pop("io.buildah.version", None)
    found |= {"Labels": labels, "Author": document.get("author")}
    found |= {name: document.get(name) for name in ("architecture", "os")}
    return {name: value for name, value in found.items() if value}


def compare_config(ours: Facts, expected: Facts) -> Iterator[Difference]:
    """Every field that differs."""
    for name in sorted(ours.keys() | expected.keys()):
        if ours.get(name) != expected.get(name):
            yield Difference(f"config {name}", ours.get(name), expected.get(name))
