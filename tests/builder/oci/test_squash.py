"""Layers merged into one, compared with layers applied one after the other."""

from __future__ import annotations

import hashlib
import random
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.oci.squash import merge_layers

Tree = dict[str, str | None]


def write(path: Path, members: list[tuple[str, str | None]]) -> Path:
    """A layer tar: names with content, ``None`` for a directory, ``->x`` for a hard link."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif content.startswith("->"):
                info.type, info.linkname = tarfile.LNKTYPE, content.removeprefix("->")
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, BytesIO(content.encode()))
    return path


def applied(tree: Tree, layer: Path) -> Tree:
    """A tree after a layer: what an image store does, in the plainest way."""
    result, content = dict(tree), {}
    with tarfile.open(layer) as tar:
        for member in tar.getmembers():
            folder, _, name = member.name.rpartition("/")
            if name == ".wh..wh..opq":
                _remove_below(result, folder)
            elif name.startswith(".wh."):
                gone = f"{folder}/{name[4:]}".lstrip("/")
                result.pop(gone, None)
                _remove_below(result, gone)
        for member in tar.getmembers():
            if "/.wh." in f"/{member.name}":
                continue
            if member.islnk():
                content[member.name] = content[member.linkname]
            else:
                file = tar.extractfile(member)
                content[member.name] = file.read().decode() if file else None
            if content[member.name] is not None:
                _remove_below(result, member.name)
            result[member.name] = content[member.name]
    return result


def _remove_below(tree: Tree, folder: str) -> None:
    for name in [one for one in tree if one.startswith(f"{folder}/")]:
        del tree[name]


BASE: Tree = {"a": None, "a/x": "base", "b": "base", "c": None, "c/d": None, "c/d/e": "base"}


@pytest.mark.parametrize(
    "layers",
    [
        [[("n", "1")], [("n", "2")]],
        [[("n", "1")], [(".wh.n", "")]],
        [[("a/.wh.x", "")], [("a/x", "new")]],
        [[(".wh.a", "")], [("a", None), ("a/y", "new")]],
        [[("a", "file now")], [(".wh.a", ""), ("b", "x")]],
        [[("c/d/.wh..wh..opq", ""), ("c/d/f", "1")], [("c/d/g", "2")]],
        [[("one", "1"), ("uno", "->one")], [(".wh.one", "")]],
        [[("m", None), ("m/x", "1")], [("m", "file")]],
    ],
    ids=["replaced", "made and removed", "removed and made", "directory removed and made again",
         "file over directory removed", "opaque", "link without its target", "file over directory"],
)  # fmt: skip
def test_the_merged_layer_does_what_all_do(
    tmp_path: Path, layers: list[list[tuple[str, str | None]]]
) -> None:
    tars = [write(tmp_path / str(number), members) for number, members in enumerate(layers)]
    expected = BASE
    for tar in tars:
        expected = applied(expected, tar)

    merge_layers(tars, tmp_path / "merged")

    assert applied(BASE, tmp_path / "merged") == expected


@pytest.mark.parametrize("seed", range(40))
def test_random_layers(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    tars, expected = [], BASE
    for number in range(4):
        members: list[tuple[str, str | None]] = []
        for name in chance.sample(["a", "b", "n"], 2):
            kind = chance.choice(["file", "directory", "whiteout", "deep"])
            if kind == "file":
                members.append((name, f"{number}"))
            elif kind == "whiteout":
                members.append((f".wh.{name}", ""))
            else:
                members.append((name, None))
                if kind == "deep":
                    members.append((f"{name}/x", f"{number}"))
        tars.append(write(tmp_path / str(number), members))
        expected = applied(expected, tars[-1])

    merge_layers(tars, tmp_path / "merged")

    assert applied(BASE, tmp_path / "merged") == expected


def test_a_mark_of_what_is_made_again_is_left_out(tmp_path: Path) -> None:
    removed = write(tmp_path / "1", [("c/.wh.d", ""), ("c/.wh.e", "")])
    made = write(tmp_path / "2", [("c/d", None), ("c/e", "new")])
    merge_layers([removed, made], tmp_path / "merged")
    with tarfile.open(tmp_path / "merged") as tar:
        assert sorted(tar.getnames()) == ["c/d", "c/d/.wh..wh..opq", "c/e"]


def test_the_merged_layer_is_named_by_its_digest(tmp_path: Path) -> None:
    layers = [write(tmp_path / name, [(name, name * 2000)]) for name in "ab"]
    merged = merge_layers(layers, tmp_path / "merged")
    data = (tmp_path / "merged").read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert merged == Layer(digest, len(data), tmp_path / "merged")
