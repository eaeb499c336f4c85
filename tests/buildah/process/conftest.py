"""A real agent, without a storage."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pytest_zlayer.buildah.process.agent_client import AgentClient

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def client() -> Iterator[AgentClient]:
    """An agent that has adopted nothing yet."""
    started = AgentClient((), ENV)
    started.greet()
    yield started
    started.close()
