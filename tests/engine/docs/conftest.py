"""What the pages of the documentation need: base images, and a machine that is prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.engine.conftest import Storage, busybox_layer, make_storage, write_layout
from tests.engine.docs.pages import Page
from tests.engine.services.conftest import CONFIGURATION

DOCS = Path(__file__).parents[3] / "docs"
PROJECT = Path(__file__).with_name("project")
# The project that the pages work in; its tests run where the pages run them.
collect_ignore = [str(PROJECT)]
# The pages name images of Docker Hub. Here they are in the storage, and hold a busybox.
BASES = ("busybox:1", "alpine:3", "debian:12", "debian:13")
# What the images of Docker Hub have and the busybox of Debian does not.
ADDUSER = """\
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
id=$((999 + $(wc -l < /etc/passwd)))
echo "$1:x:$id:$id::/home/$1:/bin/sh" >> /etc/passwd
echo "$1:x:$id:" >> /etc/group
mkdir -p "/home/$1" && chown "$id:$id" "/home/$1"
"""


def added_layer() -> bytes:
    """A layer with the programs that are missing."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("bin/adduser")
        info.mode, info.size = 0o755, len(ADDUSER)
        tar.addfile(info, BytesIO(ADDUSER.encode()))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def docs_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A storage that holds the base images of the pages."""
    folder = tmp_path_factory.mktemp("docs")
    storage = make_storage(folder / "storage")
    (folder / "layouts").mkdir()
    engine = storage.open()
    for name in BASES:
        config = {"Cmd": ["/bin/sh"], "Env": [f"BASE={name}"]}
        layers = [busybox_layer(), added_layer()]
        layout = write_layout(folder / "layouts" / name.replace(":", "-"), layers, config, {})
        engine.images.import_layout(layout, f"docker.io/library/{name}")
    engine.close()
    yield storage
    storage.remove()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, from which ``pip install pytest-zlayer`` takes it."""
    folder = tmp_path_factory.mktemp("wheels")
    argv = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    subprocess.run((*argv, DOCS.parent), check=True, capture_output=True)
    return folder


@pytest.fixture
def open_page(docs_storage: Storage, wheels: Path, tmp_path: Path) -> Callable[[str], Page]:
    """``open_page("start/tutorial.md")``: the page, in a copy of the project of the tests."""
    project = tmp_path / "project"
    configuration = tmp_path / "containers.conf"
    configuration.write_text(CONFIGURATION)
    kept = ("PATH", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "ZLAYER_TEST_BUILDAH")
    environment = {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(docs_storage.tmpdir),
        "XDG_CACHE_HOME": str(docs_storage.root.parent / "user-cache"),
        "LAYOUTS": str(docs_storage.root.parent.parent / "layouts"),
        "PIP_FIND_LINKS": str(wheels),
        "CONTAINERS_CONF": str(configuration),
        "ZLAYER_ROOT": str(docs_storage.root),
        "ZLAYER_RUNROOT": str(docs_storage.runroot),
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def opened(name: str) -> Page:
        if name.startswith(("start/", "../")):  # they begin with nothing
            project.mkdir()
        else:
            shutil.copytree(PROJECT, project)
        return Page(DOCS / name, project, environment)

    return opened
