"""Registries, a proxy before one, and sessions that take them for docker.io and corp.example."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from tests.engine.building import Builds, building
from tests.engine.conftest import Storage
from tests.engine.registry.servers import Proxy, Registry, running_registry

# Three attempts, and no waiting for the next one.
SOON = RetryPolicy(retries=2, delay=0.001)
_CONF = """\
unqualified-search-registries = []
[[registry]]
prefix = "docker.io"
location = "{hub}/hub"
insecure = true
[[registry]]
prefix = "corp.example"
location = "{corp}/corp"
insecure = true
[[registry]]
prefix = "127.0.0.1"
location = "127.0.0.1"
insecure = true
"""

Sessions = Callable[..., AbstractContextManager[Builds]]

# What needs a daemon of Docker is not even shown without one.
collect_ignore = [] if "ZLAYER_TEST_DOCKER" in os.environ else ["test_docker.py"]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry everybody may use."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for user and password."""
    with running_registry(tmp_path_factory.mktemp("locked"), login=True) as running:
        yield running


@pytest.fixture
def hub(registry: Registry) -> Iterator[Proxy]:
    """Stands for docker.io; its images are below ``hub/`` in the registry."""
    proxy = Proxy(registry)
    yield proxy
    proxy.close()


@pytest.fixture
def corp(registry: Registry) -> Iterator[Proxy]:
    """Stands for the registry corp.example; its images are below ``corp/`` in the registry."""
    proxy = Proxy(registry)
    yield proxy
    proxy.close()


@pytest.fixture
def name() -> str:
    """A repository no other test uses."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def environment(storage: Storage, hub: Proxy, corp: Proxy, tmp_path: Path) -> dict[str, str]:
    """What an engine is to read its settings from."""
    configuration = tmp_path / "registries.conf"
    text = _CONF.format(hub=hub.address, corp=corp.address)
    configuration.write_text(text, encoding="ascii")
    return {
        **storage.environment,
        "XDG_CACHE_HOME": str(storage.root.parent / "user-cache"),
        "CONTAINERS_REGISTRIES_CONF": str(configuration),
    }


@pytest.fixture
def session(storage: Storage, environment: dict[str, str]) -> Sessions:
    """What opens a session; by default on the shared storage, with options as keywords."""

    def opened(on: Storage = storage, **changes: Any) -> AbstractContextManager[Builds]:
        given = {**environment, "TMPDIR": str(on.tmpdir), **changes.pop("environment", {})}
        return building(on, **{"transfer_retry": SOON, **changes, "environment": given})

    return opened


@pytest.fixture
def builds(session: Sessions) -> Iterator[Builds]:
    """A session with default options."""
    with session() as found:
        yield found
