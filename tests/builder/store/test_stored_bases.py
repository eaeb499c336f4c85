"""Base images in a storage, read from its records."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pytest_zlayer.builder.store.stored_bases import StoredBases


def image(root: Path, name: str, env: list[str]) -> None:
    """An image as containers/storage records it."""
    folder = root / "overlay-images"
    folder.mkdir(parents=True, exist_ok=True)
    file, number = folder / "images.json", len(list(folder.iterdir()))
    known = json.loads(file.read_text(encoding="ascii")) if file.exists() else []
    identifier, digest = f"{number:064x}", f"sha256:{number:064x}"
    known.append({"id": identifier, "digest": digest, "names": [name]})
    file.write_text(json.dumps(known), encoding="ascii")
    (folder / identifier).mkdir()
    manifest = {"config": {"digest": digest}, "layers": []}
    (folder / identifier / "manifest").write_text(json.dumps(manifest), encoding="ascii")
    config = {"config": {"Env": env}, "rootfs": {"diff_ids": []}}
    place = "=" + base64.b64encode(digest.encode()).decode()
    (folder / identifier / place).write_text(json.dumps(config), encoding="ascii")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    image(tmp_path, "docker.io/library/python:3.12", ["PYTHON_VERSION=3.12.1"])
    image(tmp_path, "localhost/own:latest", ["OWN=1"])
    image(tmp_path, "registry.example/team/own:1", ["TEAM=1"])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("python:3.12", "PYTHON_VERSION"),
        ("docker.io/python:3.12", "PYTHON_VERSION"),
        ("own", "OWN"),
        ("localhost/own:latest", "OWN"),
        ("team/own:1", "TEAM"),
    ],
)
def test_images_of_the_store_are_known_by_the_names_of_from(
    root: Path, name: str, variable: str
) -> None:
    bases = StoredBases(root, "registry.example", {})
    assert list(bases[name].env) == [variable]
    assert (name in bases, list(bases), len(bases)) == (True, [name], 1)


@pytest.mark.parametrize("name", ["python", "UPPER", "other", ""])
def test_others_are_not(root: Path, name: str) -> None:
    assert name not in StoredBases(root, None, {})


def test_storage_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert "python:3.12" not in StoredBases(tmp_path / "nowhere", None, {})


def test_version_changes_with_the_images(root: Path) -> None:
    before = StoredBases(root, None, {}).version()
    assert StoredBases(root, None, {}).version() == before
    image(root, "localhost/new:latest", [])
    assert StoredBases(root, None, {}).version() != before


def test_root_is_the_one_that_is_configured(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "storage.conf"
    file.write_text(f'[storage]\ngraphroot = "{root}"\n', encoding="utf-8")
    assert "own" in StoredBases(None, None, {"CONTAINERS_STORAGE_CONF": str(file)})
