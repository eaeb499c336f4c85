"""The bytes of a pull while they come: as the engine measures them, and on a terminal."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.events import Pulling, Waiting
from tests.engine.building import write_files
from tests.engine.conftest import Storage
from tests.engine.project import Project
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import Proxy, Registry
from tests.pytester.output.test_live import Terminal
from tests.waiting import PATIENCE, wait_until

SIZE = 3_000_000
# As read from outside: what buildah has got of the bytes that were sent may lie in its memory.
SENT = 1_020_000
# Notes whether pulls are watched.
SPY = """
import os
from pytest_zlayer.buildah.registries import Registries

pull = Registries.pull

def noted(self, reference, *, on_size=None, **more):
    with open(os.environ["SPY_FILE"], "a") as file:
        print("unwatched" if on_size is None else "watched", file=file)
    return pull(self, reference, on_size=on_size, **more)

Registries.pull = noted
"""


def put(registry: Registry, proxy: Proxy, folder: str, name: str, before: int = SENT) -> None:
    """An image of which ``before`` bytes come, and the rest once the proxy is released."""
    registry.put_image(f"{folder}/{name}:1", mark=name, size=SIZE)
    (proxy.held,) = registry.layers(f"{folder}/{name}:1")
    proxy.before = before


@pytest.fixture
def coming(registry: Registry, hub: Proxy, name: str) -> str:
    """The reference of an image that comes in part."""
    put(registry, hub, "hub/library", name)
    return f"docker.io/library/{name}:1"


@pytest.fixture
def project(
    own_storage: Storage, environment: dict[str, str], coming: str, tmp_path: Path
) -> Project:
    """A project with an image that has to be pulled."""
    mark = f"@pytest.mark.image(text='FROM {coming}\\nLABEL a=b\\n', name='api')"
    test = f"import pytest\n\n{mark}\ndef test_it(zlayer_image):\n    assert zlayer_image.size\n"
    files = {"test_it.py": test, "conftest.py": SPY, "Dockerfile": f"FROM {coming}\nLABEL a=b\n"}
    folder = write_files(tmp_path / "project", files)
    configuration = environment["CONTAINERS_REGISTRIES_CONF"]
    return Project(
        folder, own_storage, CONTAINERS_REGISTRIES_CONF=configuration, SPY_FILE=str(folder / "spy")
    )


def on_terminal(project: Project, *words: str) -> Terminal:
    program, *args = words
    return Terminal(project.folder, *args, program=(program,), columns=120, **project.environment)


@pytest.mark.parametrize(
    ("words", "image"),
    [
        (["pytest"], "api"),
        (["pytest", "-n2"], r"\[gw[01]\] api"),
        (["pytest_zlayer", "build", "."], "project"),
    ],
    ids=["pytest", "xdist", "command line"],
)
def test_they_stand_on_the_terminal(
    project: Project, hub: Proxy, coming: str, words: list[str], image: str
) -> None:
    run = on_terminal(project, *words)
    run.until("| 1.0 MB, layer 1")
    assert re.search(
        rf"^ +\d+\.\d s {image} pulling {coming} \| 1\.0 MB, layer 1$", run.text(), re.MULTILINE
    )
    hub.released.set()
    end = run.end()
    assert f"pulled {coming} (1 layer, 3.0 MB) in" in end
    assert "1.0 MB" not in end


@pytest.mark.parametrize("words", [[], ["-n2"]], ids=["", "-n2"])
def test_where_nobody_watches_nothing_is_measured(
    project: Project, hub: Proxy, words: list[str]
) -> None:
    hub.released.set()
    output = project.pytest("--zlayer-progress=plain", *words)
    assert "1 passed" in output
    assert set((project.folder / "spy").read_text().split()) == {"unwatched"}


def test_a_run_that_is_killed_meanwhile_leaves_no_file(
    project: Project, own_storage: Storage
) -> None:
    run = on_terminal(project, "pytest")
    run.until("| 1.0 MB, layer 1")
    assert own_storage.temporary_files() != []
    run.kill()
    wait_until(lambda: own_storage.temporary_files() == [], "the files are gone")


class Pull(threading.Thread):
    """A pull beside the test.

    Attributes:
        size: bytes that have come so far.
        error: why it failed.
    """

    def __init__(self, engine: Engine, reference: str) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._reference = reference
        self.size = 0
        self.error: EngineError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._engine.registries.pull(self._reference, policy="always", on_size=self._take)
        except EngineError as error:
            self.error = error

    def _take(self, size: int) -> None:
        self.size = size


@pytest.fixture
def engine(own_storage: Storage, environment: dict[str, str]) -> Iterator[Engine]:
    configuration = environment["CONTAINERS_REGISTRIES_CONF"]
    ours = {**own_storage.environment, "CONTAINERS_REGISTRIES_CONF": configuration}
    opened = own_storage.open(environment=ours)
    yield opened
    opened.close()


def downloads(engine: Engine) -> list[str]:
    return [one for one in os.listdir(engine.tmpdir) if one.startswith("pull-")]


def test_each_of_several_pulls_is_measured_by_itself(
    engine: Engine, registry: Registry, hub: Proxy, corp: Proxy, name: str
) -> None:
    put(registry, hub, "hub/library", name, before=1_000_000)
    put(registry, corp, "corp", f"{name}-other", before=2_000_000)
    one = Pull(engine, f"docker.io/library/{name}:1")
    other = Pull(engine, f"corp.example/{name}-other:1")
    wait_until(lambda: one.size == 1_000_000, "a part of one has come")
    wait_until(lambda: other.size == 2_000_000, "a part of the other has come")
    assert len(downloads(engine)) == 2
    assert one.size == 1_000_000
    for proxy, pull in ((hub, one), (corp, other)):
        proxy.released.set()
        pull.join(PATIENCE)
        assert (pull.is_alive(), pull.error) == (False, None)
    assert downloads(engine) == []


def test_a_pull_that_is_given_up_leaves_no_file(engine: Engine, coming: str) -> None:
    pull = Pull(engine, coming)
    wait_until(lambda: pull.size > 0, "a part has come")
    engine.interrupt()
    pull.join(PATIENCE)
    assert pull.error is not None
    assert downloads(engine) == []


def test_a_build_that_waits_for_the_pull_of_another_tells_that(
    session: Sessions, hub: Proxy, coming: str
) -> None:
    with session() as builds, ThreadPoolExecutor(2) as pool:
        texts = [f"FROM {coming}\nLABEL number={number}\n" for number in range(2)]
        images = [pool.submit(builds.build, text) for text in texts]

        def waits() -> list[Waiting]:
            return [one for one in builds.events if isinstance(one, Waiting)]

        def pulls() -> list[Pulling]:
            return [one for one in builds.events if isinstance(one, Pulling)]

        wait_until(waits, "a build waits for the pull")
        wait_until(pulls, "the other one pulls")
        pulling = pulls()
        hub.released.set()
        assert len({image.result().id for image in images}) == 2
    assert [one.reference for one in pulling] == [coming]
    assert [(one.what, one.reason) for one in waits()] == [(coming, "pull")]
    assert waits()[0].build_id != pulling[0].build_id
