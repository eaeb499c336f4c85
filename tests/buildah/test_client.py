"""The parent's side of the agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.client import AgentClient
from pytest_zlayer.buildah.errors import EngineUnusable

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[AgentClient]:
    started = AgentClient((), ENV)
    started.greet(tmp_path / "agent", ENV)
    yield started
    started.close()


def test_agent_is_a_process_of_its_own_session(client: AgentClient) -> None:
    assert client.pid != os.getpid()
    assert os.getsid(client.pid) == client.pid


def test_answer(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    assert client.ask("listdir", root=str(tmp_path), path="/")[0] == ["agent", "b"]


def test_descriptor_comes_with_the_answer(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    _, [descriptor] = client.ask("open", root=str(tmp_path), path="/file")
    assert not os.get_inheritable(descriptor)
    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == b"content"


def test_error_of_the_agent_is_raised_here(client: AgentClient, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        client.ask("lstat", root=str(tmp_path), path="/none")
    assert caught.value.filename == "/none"


def test_closed_client(client: AgentClient) -> None:
    client.close()
    with pytest.raises(EngineUnusable) as caught:
        client.ask("lstat", root="/", path="/")
    assert str(caught.value) == "this buildah session is closed"


def test_agent_that_cannot_be_started() -> None:
    with pytest.raises(EngineUnusable) as caught:
        AgentClient(["/no/such/wrapper"], ENV)
    assert str(caught.value) == "/no/such/wrapper cannot be started: No such file or directory"


def test_wrapper_that_ends_at_once_says_why(tmp_path: Path) -> None:
    client = AgentClient(["sh", "-c", "echo out of order >&2; exit 1"], ENV)
    with pytest.raises(EngineUnusable) as caught:
        client.greet(tmp_path / "agent", ENV)
    client.close()
    assert caught.value.message.startswith("the process that runs buildah for this session has")


def test_agent_works_for_one_process_only(client: AgentClient) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            client.ask("lstat", root="/", path="/")
        except EngineUnusable:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_directory_of_the_agent_goes_with_it(tmp_path: Path) -> None:
    client = AgentClient((), ENV)
    client.greet(tmp_path / "agent", ENV)
    (tmp_path / "agent" / "file").touch()
    client.close()
    assert os.listdir(tmp_path) == []
