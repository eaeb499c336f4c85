"""Trees are read as the container sees them, and never beyond their root."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import AgentRootfs, LocalRootfs, Rootfs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with links of every kind; beside it a file that nobody may reach."""
    (tmp_path / "secret").write_text("outside", encoding="ascii")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "hosts").write_text("inside", encoding="ascii")
    (root / "secret").write_text("inside too", encoding="ascii")
    links = {
        "up": "../../../secret",
        "absolute": "/etc/hosts",
        "escape": f"{tmp_path}/secret",
        "directory": "/etc",
        "parent": "..",
        "chain": "directory/../absolute",
        "loop": "loop",
        "gone": "/nowhere/at/all",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture
def rootfs(tree: Path) -> Rootfs:
    return LocalRootfs(tree)


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/etc/hosts", "/etc/hosts"),
        ("//etc/./hosts", "/etc/hosts"),
        ("/absolute", "/etc/hosts"),
        ("/chain", "/etc/hosts"),
        ("/directory/hosts", "/etc/hosts"),
        ("/up", "/secret"),
        ("/parent/parent/secret", "/secret"),
        ("/../../../secret", "/secret"),
        ("/", "/"),
        ("/gone", "/nowhere/at/all"),
        ("/directory/new/file", "/etc/new/file"),
        ("/new/../../etc", "/etc"),
    ],
)
def test_links_are_followed_inside(rootfs: Rootfs, path: str, resolved: str) -> None:
    assert rootfs.resolve(path) == resolved


def test_absolute_link_out_of_the_tree_leads_nowhere(rootfs: Rootfs) -> None:
    assert not rootfs.exists("/escape")


def test_relative_link_out_of_the_tree_stays_in_it(rootfs: Rootfs) -> None:
    with rootfs.open("/parent/secret") as file:
        assert file.read() == b"inside too"


def test_endless_link(rootfs: Rootfs) -> None:
    with pytest.raises(OSError, match="Too many levels of symbolic links") as caught:
        rootfs.resolve("/loop")
    assert caught.value.errno == errno.ELOOP


def test_last_link_is_not_followed_by_lstat(rootfs: Rootfs) -> None:
    entry = rootfs.lstat("/absolute")
    assert (entry.kind, entry.target) == ("symlink", "/etc/hosts")


def test_last_link_with_a_slash_is_followed(rootfs: Rootfs) -> None:
    assert rootfs.lstat("/directory/").kind == "directory"


def test_last_link_is_not_opened(rootfs: Rootfs) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        rootfs.open("/absolute")


def test_missing_file(rootfs: Rootfs) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        rootfs.lstat("/etc/nothing")
    assert caught.value.filename == "/etc/nothing"


def test_file_in_the_middle_of_a_path(rootfs: Rootfs) -> None:
    with pytest.raises(NotADirectoryError):
        rootfs.lstat("/etc/hosts/more")
    assert not rootfs.exists("/etc/hosts/more")


def test_directory_is_not_opened(rootfs: Rootfs) -> None:
    with pytest.raises(IsADirectoryError):
        rootfs.open("/etc")


def test_fifo_is_refused_and_not_waited_for(rootfs: Rootfs, tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    assert rootfs.lstat("/fifo").kind == "fifo"
    with pytest.raises(OSError, match="Invalid argument"):
        rootfs.open("/fifo")


def test_names_come_sorted_by_bytes(rootfs: Rootfs, tree: Path) -> None:
    for name in (b"z", b"\xff", b"\xc3\xa9", b"A"):
        (tree / "etc" / os.fsdecode(name)).touch()
    found = [os.fsencode(name) for name in rootfs.listdir("/directory")]
    assert found == [b"A", b"hosts", b"z", b"\xc3\xa9", b"\xff"]


def test_odd_names_are_reached(rootfs: Rootfs, tree: Path) -> None:
    name = os.fsdecode(b"-rf \n*\xff")
    (tree / name).write_text("odd", encoding="ascii")
    with rootfs.open(f"/{name}") as file:
        assert file.read() == b"odd"


def test_entry_tells_what_the_file_is(rootfs: Rootfs, tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"12345")
    file.chmod(0o4751)
    os.link(file, tree / "other")
    os.utime(file, ns=(0, 1_234_567_891))
    entry = rootfs.lstat("/file")
    assert (entry.kind, entry.mode, entry.size, entry.links) == ("file", 0o4751, 5, 2)
    assert (entry.uid, entry.gid) == (os.getuid(), os.getgid())
    assert (entry.mtime_ns, entry.device, entry.target) == (1_234_567_891, None, None)
    assert entry.inode == rootfs.lstat("/other").inode


def test_extended_attributes(rootfs: Rootfs, tree: Path) -> None:
    try:
        os.setxattr(tree / "etc" / "hosts", "user.colour", b"\x00blue")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert rootfs.xattrs("/etc/hosts") == {"user.colour": b"\x00blue"}
    assert rootfs.xattrs("/absolute") == {}


def open_below(tree: Path) -> list[str]:
    """What of the tree this process has open; other threads may open and close other things."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [one for one in found if one.startswith(str(tree))]


def test_no_descriptor_is_left_open(rootfs: Rootfs, tree: Path) -> None:
    for path in ("/chain", "/loop", "/gone", "/etc/hosts/x", "/parent/parent/etc"):
        for question in (rootfs.lstat, rootfs.resolve, rootfs.listdir, rootfs.xattrs, rootfs.open):
            try:
                answer = question(path)
            except OSError:
                continue
            if hasattr(answer, "close"):
                answer.close()
    assert open_below(tree) == []


def test_agent_gives_the_same_answers(tree: Path, rootfs: Rootfs) -> None:
    def ask(question: str, root: str, path: str) -> tuple[object, list[int]]:
        assert Path(root) == tree
        if question == "open":
            return None, [os.open(tree / path[1:], os.O_RDONLY)]
        return {"resolve": "/etc/hosts", "listdir": ["hosts"], "xattrs": {"user.a": "AGI="}}[
            question
        ], []

    far = AgentRootfs(tree, ask)
    assert far.resolve("/absolute") == rootfs.resolve("/absolute")
    assert far.listdir("/etc") == rootfs.listdir("/etc")
    assert far.xattrs("/etc/hosts") == {"user.a": b"\x00b"}
    with far.open("/etc/hosts") as file:
        assert file.read() == b"inside"
