"""What sending layers asks of a registry: no more requests than it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_zlayer.buildah.process.interruption import Interruption
from pytest_zlayer.builder.oci.chain import Chain, HistoryEntry, Layer
from pytest_zlayer.builder.remote.sender import Batch, Sender
from pytest_zlayer.builder.remote.trace import Trace
from pytest_zlayer.builder.remote.use import PlaceUse
from tests.engine.registry.servers import Proxy, Registry, layer_of
from tests.engine.remote.conftest import of
from tests.engine.remote.test_many_writers import cache

FIRST, SECOND, THIRD, OTHER = (number * 64 for number in "1234")
NEAREST = "f" * 64


class Sending:
    """A sender whose place is a registry behind a proxy."""

    def __init__(self, proxy: Proxy, directory: Path) -> None:
        self.proxy = proxy
        self.directory = directory
        conf = directory / "registries.conf"
        conf.write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
        self.problems: list[str] = []
        use = PlaceUse(
            "place",
            cache(f"{proxy.address}/{directory.name.lower()}/zlayer", directory, conf),
            warn=self.problems.append,
            note=self.problems.append,
            stop=threading.Event(),
        )
        self.sender = Sender(
            use,
            export=lambda *_: None,
            commands=Interruption(threading.local(), lambda _: False),
            scratch=directory / "outgoing",
            all_keys=False,
            max_age=None,
            on_sent=lambda *_: None,
        )

    def batch(self, *keys: str, tags: tuple[str, ...] = ()) -> Batch:
        """A batch with a layer for each key."""
        chain = Chain()
        for key in keys:
            data = layer_of("file", key)
            file = self.directory / key
            file.write_bytes(data)
            layer = Layer(f"sha256:{sha256(data).hexdigest()}", len(data), file)
            chain = chain.add(layer, HistoryEntry(f"RUN {key[0]}"))
        return Batch(
            build_id="",
            image="",
            stored="",
            chain=chain,
            base=(),
            keys={key: count for count, key in enumerate(keys, 1)},
            tags=tags,
            platform=("amd64", "linux", ""),
            nearest=NEAREST,
            trace=lambda: Trace({}, ()),
        )

    def wait_for(self, entries: int) -> None:
        """Wait until so many entries were sent."""
        for _ in range(2400):
            if self.sender.sent.entries == entries or self.problems:
                break
            time.sleep(0.05)
        assert (self.sender.sent.entries, self.problems) == (entries, [])

    def named(self) -> list[str]:
        """The tags that were put since the last time, in their order."""
        puts = [one for one in of(self.proxy, "PUT") if "/manifests/" in one]
        self.proxy.requests.clear()
        return [one.rpartition("/")[2] for one in puts]


@pytest.fixture
def sending(registry: Registry, tmp_path: Path) -> Iterator[Sending]:
    proxy = Proxy(registry)
    one = Sending(proxy, tmp_path)
    yield one
    assert one.sender.finish(120.0) is None
    assert one.problems == []
    proxy.close()


def test_an_entry_takes_five_requests_a_layer_and_one_a_layer_for_each_further_tag(
    sending: Sending,
) -> None:
    sending.sender.offer(sending.batch(FIRST, SECOND, THIRD, tags=(FIRST, SECOND)))
    sending.wait_for(1)
    layers, further_tags = 3, 3
    asked = 2  # for the list of keys
    asked += 1 + 5 * layers + 4 + 1  # whether it is a registry, layers, configuration, manifest
    asked += further_tags * (1 + layers + 1 + 1)
    assert len(sending.proxy.requests) == asked
    assert sending.named() == [THIRD, FIRST, SECOND, NEAREST]


def test_a_tag_is_put_once_in_a_session(sending: Sending) -> None:
    sending.sender.offer(sending.batch(FIRST, SECOND, tags=(FIRST,)))
    sending.wait_for(1)
    assert sending.named() == [SECOND, FIRST, NEAREST]
    sending.sender.offer(sending.batch(FIRST, SECOND, THIRD, tags=(FIRST, SECOND)))
    sending.wait_for(2)
    assert sending.named() == [THIRD, NEAREST]
    sending.sender.offer(sending.batch(FIRST, OTHER, tags=(FIRST,)))
    sending.wait_for(3)
    assert sending.named() == [OTHER, NEAREST]


def test_of_a_stage_that_has_come_further_meanwhile_only_that_is_sent(sending: Sending) -> None:
    sending.proxy.held = "/tags/list"  # what sending begins with
    sending.sender.offer(sending.batch(FIRST))
    sending.sender.offer(sending.batch(FIRST, SECOND))
    sending.sender.offer(sending.batch(FIRST, SECOND, THIRD, tags=(FIRST,)))
    sending.proxy.released.set()
    sending.wait_for(1)
    assert sending.named() == [THIRD, FIRST, NEAREST]


def test_another_variant_of_a_stage_is_sent_too(sending: Sending) -> None:
    sending.proxy.held = "/tags/list"
    sending.sender.offer(sending.batch(FIRST, SECOND))
    sending.sender.offer(sending.batch(FIRST, OTHER))
    sending.proxy.released.set()
    sending.wait_for(2)
    assert sending.named() == [SECOND, NEAREST, OTHER, NEAREST]
