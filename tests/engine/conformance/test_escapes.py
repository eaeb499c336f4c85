"""Nothing outside a context is read, and nothing outside an image is written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pytest_zlayer.errors import ZlayerError

from .case import Case, Link, Things, tar
from .snapshot import Snapshot
from .workbench import Workbench, busybox

SECRET = "not for images"  # noqa: S105 (there is nothing behind it)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that no build has any business with."""
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_text(SECRET)
    (tmp_path / "outside" / "deep" / "secret").write_text(SECRET)
    return tmp_path / "outside"


def contents(directory: Path) -> list[str]:
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*"))


UNTOUCHED = ["deep", "deep/secret", "secret"]


def files(workbench: Workbench, text: str, context: Things, **more: object) -> Snapshot:
    """What an image holds; nothing if the build refuses."""
    case = Case("escape", text, context, **more)  # type: ignore[arg-type]
    try:
        image = workbench.build(case, workbench.prepare(case))
    except ZlayerError:
        return {}
    return workbench.snapshot(image.id)


def leaks(found: Snapshot) -> list[str]:
    """Where the secret came to lie: small contents are kept whole."""
    return [path for path, facts in found.items() if facts.get("content") == SECRET.encode()]


READS = {
    "dots": "COPY ../../outside/secret /x",
    "many dots": "COPY ../../../../../../../../{outside}/secret /x",
    "absolute": "COPY {outside}/secret /x",
    "a link": "COPY link /x",
    "a relative link": "COPY relative /x",
    "a directory link": "COPY directory /x/",
    "a file through a directory link": "COPY directory/secret /x/",
    "a wildcard": "COPY */secret /x/",
    "a wildcard of links": "COPY * /x/",
    "everything": "COPY . /x/",
    "the parents": "COPY --parents directory/secret /x/",
    "add": "ADD directory link /x/",
    "a mount": "RUN --mount=target=/m cp -rL /m /x; true",
    "a mount of a link": "RUN --mount=source=directory,target=/m cp -r /m /x",
    "a mount of a file link": "RUN --mount=source=link,target=/m cat /m > /x",
    "a mount with dots": "RUN --mount=source=../../outside,target=/m cp -r /m /x",
    "a writable mount of a link": "RUN --mount=source=directory,target=/m,rw cp -r /m /x",
}


@pytest.mark.parametrize("how", READS)
def test_nothing_outside_the_context_is_read(how: str, workbench: Workbench, outside: Path) -> None:
    context: Things = {
        "a": "1",
        "link": Link(str(outside / "secret")),
        "relative": Link("../../../outside/secret"),
        "directory": Link(str(outside)),
    }
    found = files(workbench, f"FROM bb\n{READS[how].format(outside=outside)}", context)
    assert leaks(found) == []


def test_links_swapped_while_copying_lead_nowhere(workbench: Workbench, outside: Path) -> None:
    case = Case("swap", "FROM bb\nCOPY d /x/\nCOPY d/secret /y/", {"d/secret": "mine"})
    place = workbench.prepare(case)
    swapping = _Swapping(place / "context" / "d", outside)
    with swapping:
        for number in range(200):
            if number > 12 and swapping.count > 50:
                break
            (place / "context" / f"new{number}").touch()  # a context the cache has not seen
            again = Case("swap", f"FROM bb\nENV N={number}\nCOPY d /x{number}/", {})
            try:
                image = workbench.build(again, place)
            except ZlayerError:
                continue
            assert leaks(workbench.snapshot(image.id)) == []
    assert swapping.count > 50


class _Swapping:
    """Makes a directory and a link to another one take turns under one name."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path, self._target = path, target
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.count = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        aside, link = self._path.with_name("aside"), self._path.with_name("link")
        while not self._ended.wait(0.0005):
            link.symlink_to(self._target)
            self._path.rename(aside)
            link.rename(self._path)
            self._ended.wait(0.0005)
            self._path.unlink()
            aside.rename(self._path)
            self.count += 1


WRITES = {
    "copy a file": "COPY a /link/",
    "copy to a name": "COPY a /link/new",
    "copy over a file": "COPY a /link/secret",
    "copy a directory": "COPY d /link",
    "copy through dots": "COPY a /../../../../../../../..{outside}/new",
    "copy relative": "WORKDIR /link\nCOPY a b",
    "link": "COPY --link a /link/",
    "parents": "COPY --parents d/b /link/",
    "here-document": "COPY <<f /link/\nx\nf",
    "add an archive": "ADD a.tar /link/",
    "add an archive with links": "ADD evil.tar /x/",
    "workdir": "WORKDIR /link/w",
    "workdir and run": "WORKDIR /link/w\nRUN touch f",
    "volume": "VOLUME /link/v\nRUN true",
    "mount point": "RUN --mount=type=tmpfs,target=/link/m true",
    "mount point of a cache": "RUN --mount=type=cache,id=escape,target=/link/m touch /link/m/f",
    "mount point of a file": "RUN --mount=source=a,target=/link/m true",
    "mount point of a secret": "RUN --mount=type=secret,id=s,target=/link/m true",
    "script": "RUN rm -rf /run && ln -s {outside} /run\nRUN <<EOF\n#!/bin/sh\ntrue\nEOF",
    "a link in a cache": "RUN --mount=type=cache,id=evil,target=/c ln -sfn {outside} /c/out\n"
    "RUN --mount=type=cache,id=evil,source=out,target=/c touch /c/new",
    "a link in a cache, deeper": "RUN --mount=type=cache,id=evil2,target=/c "
    "ln -sfn {outside} /c/out\nRUN --mount=type=cache,id=evil2,source=out/new,target=/c true",
}


@pytest.mark.parametrize("how", WRITES)
def test_nothing_outside_the_image_is_written(
    how: str, workbench: Workbench, outside: Path
) -> None:
    evil = tar({"l": Link(str(outside)), "l/new": "1", "up/": "", "../../../new": "2"})
    context: Things = {"a": "1", "d/b": "2", "a.tar": tar({"new": "1"}), "evil.tar": evil}
    text = f"FROM bb\nRUN ln -s {outside} /link\n{WRITES[how].format(outside=outside)}\n"
    files(workbench, text, context, secrets={"s": "x"})
    assert contents(outside) == UNTOUCHED
    assert (outside / "secret").read_text() == SECRET


SYSTEM = ["etc", "dev", "proc", "sys", "run"]


@pytest.mark.parametrize("name", [*SYSTEM, "etc/hosts", "etc/resolv.conf", "etc/hostname", "w"])
def test_what_every_run_needs_is_not_put_outside(
    name: str, workbench: Workbench, outside: Path
) -> None:
    root = {one: thing for one, thing in busybox().items() if one in ("bin/busybox", "bin/sh")}
    target = outside / "new" if "/" in name else outside
    context = {"root.tar": tar({**root, name: Link(str(target))})}
    text = "FROM scratch\nADD root.tar /\nRUN echo x > /f\nWORKDIR /w\nRUN echo x > /w/f"
    files(workbench, text, context)
    assert contents(outside) == UNTOUCHED


def test_users_are_looked_up_in_the_image(workbench: Workbench, outside: Path) -> None:
    (outside / "passwd").write_text("me:x:4242:4242::/:/bin/sh\n")
    text = f"FROM bb\nRUN ln -sf {outside}/passwd /etc/passwd\nCOPY --chown=me a /x"
    assert files(workbench, text, {"a": "1"}) == {}
