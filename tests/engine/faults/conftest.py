"""Every fault test ends with a count of what is there: nothing may have come or gone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.building import building
from tests.engine.conftest import Storage, add_busybox, make_storage
from tests.engine.faults.workspace import BUILT, Workspace


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A storage with the busybox image, the layers of ``BUILT``, and buildah's answers."""
    made = make_storage(tmp_path_factory.mktemp("faults"))
    add_busybox(made, tmp_path_factory.mktemp("busybox"))
    for isolation in ("auto", "chroot"):
        engine = made.open(isolation=isolation)
        _ = engine.isolation
        engine.close()
    with building(made) as builds:
        builds.build(BUILT)
    for name in ("manifests", "names", "pulls"):  # locks that are there for good
        (made.root / "zlayer" / f"{name}.lock").touch(0o644)
    made.buildah("images")  # the driver's own directory is mounted no more
    yield made
    made.remove()


def copy_storage(template: Storage, directory: Path) -> Storage:
    """A storage of its own, with what the template has."""
    made = make_storage(directory)
    for source, target in ((template.root, made.root), (template.runroot, made.runroot)):
        argv = ["cp", "--archive", "--one-file-system", str(source), str(target)]
        subprocess.run(argv, check=True)
    return made


@pytest.fixture
def workspace(template: Storage, tmp_path: Path) -> Iterator[Workspace]:
    """A storage to break things in; afterwards everything must be as it was before."""
    storage = copy_storage(template, tmp_path / "storage")
    made = Workspace(storage, tmp_path)
    try:
        yield made
        assert made.difference() == {}
    finally:
        made.close()
        storage.remove()
        shutil.rmtree(tmp_path / "project", ignore_errors=True)
