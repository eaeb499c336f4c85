"""A Debian base image and, on this machine, the packages that apt-get and pip install into it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

BASE = "localhost/bench/debian"
RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What apt-get installs, and what pip does.
DEBS = ("jq", "less", "tree")
WHEELS = ("flask",)
SOURCES = "/etc/apt/sources.list"
APT_GET = """\
FROM {base}
RUN rm -rf {sources}* && echo 'deb [trusted=yes] {url}/debs ./' > {sources}
RUN apt-get update && apt-get install -y --no-install-recommends {packages}
"""
PIP = """\
FROM {base}
RUN pip install --break-system-packages --no-index --find-links {url}/wheels/ {packages}
"""


def make_root(archive: Path) -> None:
    """Writes a tar archive of a Debian with pip in it."""
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", "--include=python3-pip,ca-certificates", RELEASE,
         str(archive), MIRROR],
        check=True,
    )  # fmt: skip


def make_index(directory: Path, archive: Path) -> None:
    """Downloads the packages, and for apt-get lists them as a repository does."""
    debs, wheels = directory / "debs", directory / "wheels"
    debs.mkdir(parents=True)
    _download_debs(archive, debs)
    listed = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."], cwd=debs, check=True, capture_output=True
    )
    (debs / "Packages").write_bytes(listed.stdout)
    (debs / "Packages.gz").write_bytes(gzip.compress(listed.stdout))
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(wheels),
         "--only-binary=:all:", "--python-version=3.11", *WHEELS],
        check=True,
    )  # fmt: skip


def _download_debs(archive: Path, target: Path) -> None:
    """All that the packages need and the base has not."""
    root = target.parent / "root"
    root.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(root)], check=True)
    resolver = root / "etc" / "resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.write_bytes(Path("/etc/resolv.conf").read_bytes())
    install = "apt-get install -y -q --download-only --no-install-recommends"
    command = f"apt-get update -q && {install} {' '.join(DEBS)}"
    subprocess.run(
        ["chroot", str(root), "sh", "-c", command], check=True, stdout=subprocess.DEVNULL
    )
    for deb in (root / "var" / "cache" / "apt" / "archives").glob("*.deb"):
        deb.rename(target / deb.name)
    subprocess.run(["rm", "-rf", "--one-file-system", str(root)], check=True)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def served(directory: Path) -> Iterator[str]:
    """The URL at which a directory is served, on loopback."""
    handler = functools.partial(_Silent, directory=os.fspath(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def dockerfiles(url: str) -> dict[str, str]:
    """The Dockerfiles that install, by the name of what they measure."""
    return {
        "apt-get of three packages": APT_GET.format(
            base=BASE, url=url, sources=SOURCES, packages=" ".join(DEBS)
        ),
        "pip install of a web framework": PIP.format(base=BASE, url=url, packages=" ".join(WHEELS)),
    }
