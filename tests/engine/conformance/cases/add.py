"""ADD: archives, and what it shares with COPY."""

from __future__ import annotations

import gzip
import lzma
import tarfile

from ..case import Case, Dir, File, Hard, Link, Special, tar
from .reasons import (
    ATTRIBUTES,
    CHMOD_ON_THE_WAY,
    NEWER_ADD_CHOWN,
    NEWER_CHMOD_ON_THE_WAY,
    NEWER_FLAG,
    NEWER_WORDS,
)

_MEMBERS = {
    "d/": Dir(0o750, "5:6"),
    "d/a": File("a", 0o640, "7:8"),
    "d/link": Link("a"),
    "b": File("b", 0o4755),
    "h": Hard("b"),
}
_INFO = {
    "/x/": "",
    "/x/d/": Dir(0o750, "5:6"),
    "/x/d/a": File("a", 0o640, "7:8"),
    "/x/d/link": Link("a"),
    "/x/b": File("b", 0o4755),
    "/x/h": Hard("/x/b"),
}


def _evil(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, linkname, 0o644
    return info


CASES = (
    Case("ADD: a file", "FROM bb\nADD a /x/", {"a": "1"}),
    Case("ADD: a directory", "FROM bb\nADD d /x/", {"d/a": "1", "d/s/b": File("2", 0o600)}),
    Case(
        "ADD: an archive inside a directory stays",
        "FROM bb\nADD d /x/",
        {"d/a.tar": tar({"f": "1"})},
    ),
    Case(
        "ADD: an archive is unpacked",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar(_MEMBERS)},
        tree=_INFO,
    ),
    Case(
        "ADD: an archive to a place without a slash",
        "FROM bb\nADD a.tar /x",
        {"a.tar": tar(_MEMBERS)},
        tree=_INFO,
    ),
    Case(
        "ADD: an archive compressed by gzip",
        "FROM bb\nADD a.tgz /x/",
        {"a.tgz": tar(_MEMBERS, "gz")},
        tree=_INFO,
    ),
    Case(
        "ADD: an archive compressed by bzip2",
        "FROM bb\nADD a /x/",
        {"a": tar(_MEMBERS, "bz2")},
        tree=_INFO,
    ),
    Case(
        "ADD: an archive compressed by xz",
        "FROM bb\nADD a.txz /x/",
        {"a.txz": tar(_MEMBERS, "xz")},
        tree=_INFO,
    ),
    Case(
        "ADD: a compressed file that is no archive",
        "FROM bb\nADD a.gz b.xz /x/",
        {"a.gz": gzip.compress(b"hello", mtime=1), "b.xz": lzma.compress(b"hello")},
    ),
    Case(
        "ADD: an archive and a file", "FROM bb\nADD a.tar f /x/", {"a.tar": tar(_MEMBERS), "f": "1"}
    ),
    Case(
        "ADD: two archives",
        "FROM bb\nADD *.tar /x/",
        {"a.tar": tar({"s/a": "1"}), "b.tar": tar({"s/b": "2"})},
    ),
    Case(
        "ADD: an archive over what is there",
        "FROM bb\nRUN mkdir -p /x/d && echo old > /x/d/a && chmod 700 /x/d\nADD a.tar /x/",
        {"a.tar": tar(_MEMBERS)},
        tree=_INFO,
    ),
    Case(
        "ADD: an archive with a file where a directory is",
        "FROM bb\nRUN mkdir -p /x/b/c\nADD a.tar /x/",
        {"a.tar": tar(_MEMBERS)},
        tree=_INFO,
        since=None,
    ),
    Case(
        "ADD: an archive without its directories",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar({"p/q/r": "1"})},
    ),
    Case("ADD: an empty archive", "FROM bb\nADD a.tar /x/", {"a.tar": tar({})}),
    Case(
        "ADD: special files in an archive",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar({"f": Special("fifo", 0o600), "n": Special("character", 0o666, (1, 3))})},
        as_root=True,
    ),
    Case(
        "ADD: attributes in an archive",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar({"a": File("1", xattrs={"user.colour": b"blue"})})},
        tree={"/x/": "", "/x/a": File("1", xattrs={"user.colour": b"blue"})},
        since=None,
        buildkit=ATTRIBUTES,
    ),
    Case(
        "ADD: long and odd names in an archive",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar({"n" * 150 + "/" + "m" * 200: "1", "é ü\n": "2", "-rf": "3", "*": "4"})},
    ),
    Case(
        "ADD --chown reaches into archives",
        "FROM bb\nADD --chown=app a.tar f /x/",
        {"a.tar": tar(_MEMBERS), "f": "1"},
        tree={
            "/x/": Dir(owner="1000:1000"),
            "/x/d/": Dir(0o750, "1000:1000"),
            "/x/d/a": File("a", 0o640, "1000:1000"),
            "/x/d/link": Link("a", "1000:1000"),
            "/x/b": File("b", 0o4755, "1000:1000"),
            "/x/h": Hard("/x/b"),
            "/x/f": File("1", owner="1000:1000"),
        },
        since=None,
        buildkit=NEWER_ADD_CHOWN,
    ),
    Case(
        "ADD --chown and --chmod of a file",
        "FROM bb\nADD --chown=5:6 --chmod=700 a /x/",
        {"a": "1"},
        differs={"/x mode": CHMOD_ON_THE_WAY},
        buildkit=NEWER_CHMOD_ON_THE_WAY,
    ),
    Case(
        "ADD --unpack=false",
        "FROM bb\nADD --unpack=false a.tar /x/",
        {"a.tar": tar({"f": "1"})},
        tree={"/x/": "", "/x/a.tar": tar({"f": "1"})},
        since=None,
        buildkit=NEWER_FLAG,
    ),
    Case(
        "ADD --exclude",
        "FROM bb\nADD --exclude=b d /x/",
        {"d/a": "1", "d/b": "2"},
        tree={"/x/": "", "/x/a": "1"},
        since=None,
        buildkit=NEWER_FLAG,
    ),
    Case(
        "ADD --link",
        "FROM bb\nADD --link a /x/",
        {"a": "1"},
        tree={"/x/": "", "/x/a": "1"},
        since=None,
    ),
    Case(
        "ADD: a here-document",
        "FROM bb\nENV V=1\nADD <<f /x/\n$V\nf\n",
        tree={"/x/": "", "/x/f": "1\n"},
        since=None,
    ),
    Case("ADD: a missing file", "FROM bb\nADD no /x/", fails='"/no": not found'),
    Case(
        "ADD --checksum of a file",
        "FROM bb\nADD --checksum=sha256:" + "0" * 64 + " a /x/",
        {"a": "1"},
        fails="checksum requires HTTP(S) or Git sources",
        buildkit=NEWER_WORDS,
    ),
    # --- archives that try to get out
    Case(
        "ADD: dots in an archive",
        "FROM bb\nADD a.tar /x/y/",
        {"a.tar": tar([_evil("../../up"), _evil("/abs"), _evil("in")])},
        tree={"/x/": "", "/x/y/": "", "/x/y/up": "", "/x/y/abs": "", "/x/y/in": ""},
    ),
    Case(
        "ADD: a link in an archive and a file through it",
        "FROM bb\nADD a.tar /x/",
        {"a.tar": tar([_evil("l", tarfile.SYMTYPE, "/etc"), _evil("l/f")])},
        tree={"/x/": "", "/x/l": Link("/etc"), "/x/etc/": "", "/x/etc/f": ""},
        since=None,
        buildkit={"build": "BuildKit does not create the directory the link leads to"},
    ),
)
