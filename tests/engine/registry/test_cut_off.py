"""Pulls that are cut off when a part of the image has arrived."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from tests.engine.conftest import Storage
from tests.engine.faults import workspace
from tests.engine.registry.servers import Proxy, Registry
from tests.waiting import PATIENCE, wait_until


class Pull(threading.Thread):
    """A pull in a session of its own, beside the test."""

    def __init__(self, engine: Engine, reference: str) -> None:
        super().__init__(daemon=True)
        self.engine = engine
        self.reference = reference
        self.error: EngineError | None = None

    def run(self) -> None:
        try:
            self.engine.registries.pull(self.reference, policy="always")
        except EngineError as error:
            self.error = error

    def kill(self) -> None:
        """Kills buildah, and waits until that has been noticed."""
        marked = str(self.engine.tmpdir)
        pids = workspace.processes(self.reference, "buildah")
        workspace.send(signal.SIGKILL, [pid for pid in pids if marked in environment_of(pid)])
        self.join(PATIENCE)
        assert self.error is not None


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace")


class Arriving:
    """An image of two layers. The first comes, the second only once the hub lets it through."""

    def __init__(
        self, storage: Storage, environment: dict[str, str], hub: Proxy, name: str
    ) -> None:
        self.reference = f"docker.io/library/{name}:1"
        self.storage = storage
        self.environment = environment
        self.hub = hub
        self.before = workspace.count(storage)

    def pull(self) -> Pull:
        """Begins to pull, and returns when the first layer is stored."""
        asked = self._asked()
        engine = self.storage.open(environment=self.environment)
        started = Pull(engine, self.reference)
        started.start()
        wait_until(lambda: self._asked() > asked, "the second layer is asked for")
        wait_until(self._stored, "the first layer is stored")
        return started

    def _asked(self) -> int:
        return len([one for one in self.hub.requests if one.endswith(self.hub.held)])

    def _stored(self) -> bool:
        file = self.storage.root / "overlay-layers" / "layers.json"
        layers = json.loads(file.read_bytes()) if file.exists() else []
        return bool(layers) and not any(one.get("flags") for one in layers)

    def left(self) -> workspace.Count:
        """What is in the storage now and was not before."""
        now = workspace.count(self.storage)
        new = {kind: sorted(set(now[kind]) - set(self.before[kind])) for kind in now}
        return {kind: items for kind, items in new.items() if items}


@pytest.fixture
def arriving(
    own_storage: Storage, environment: dict[str, str], registry: Registry, hub: Proxy, name: str
) -> Arriving:
    registry.put_image(f"hub/library/{name}:1", mark=name, layers=2)
    hub.held = registry.layers(f"hub/library/{name}:1")[1]
    configuration = environment["CONTAINERS_REGISTRIES_CONF"]
    ours = {**own_storage.environment, "CONTAINERS_REGISTRIES_CONF": configuration}
    return Arriving(own_storage, ours, hub, name)


def test_pull_that_is_killed_leaves_no_layer(arriving: Arriving) -> None:
    pull = arriving.pull()
    pull.kill()
    pull.engine.close()
    assert arriving.left() == {}


def test_pull_that_is_given_up_leaves_no_layer(arriving: Arriving) -> None:
    pull = arriving.pull()
    pull.engine.interrupt()
    pull.join(PATIENCE)
    pull.engine.close()
    assert arriving.left() == {}


def test_layer_from_before_stays(arriving: Arriving) -> None:
    """Somebody else has pulled a part, and that was cut off: it is not for us to remove."""
    theirs = arriving.pull()
    theirs.kill()
    (layer,) = workspace.unused_layers(arriving.storage)
    time.sleep(2)
    ours = arriving.pull()
    ours.kill()
    ours.engine.close()
    assert workspace.unused_layers(arriving.storage) == [layer]
    theirs.engine.close()
    assert arriving.left() == {}


def test_layer_of_a_pull_that_goes_on_stays(arriving: Arriving) -> None:
    ours, theirs = arriving.pull(), arriving.pull()
    ours.kill()
    closing = threading.Thread(target=ours.engine.close, daemon=True)
    closing.start()
    arriving.hub.released.set()
    theirs.join(PATIENCE)
    closing.join(PATIENCE)
    assert (theirs.error, closing.is_alive()) == (None, False)
    theirs.engine.close()
    assert arriving.left() == {"images": [arriving.reference]}
