"""The parent's side of the agent."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

from pytest_zlayer.buildah.agent import wire
from pytest_zlayer.buildah.agent.journal import Journal
from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.buildah.process.agent_client import MOST_REPLACED, AgentClient
from pytest_zlayer.buildah.process.agent_process import AgentGone, AgentProcess
from pytest_zlayer.waiting import in_background
from tests.buildah.process.conftest import ENV
from tests.interruptions import interruptions, notices

SESSION = {"prefix": "zl-s-main-"}
ECHO = {
    "argv": ["echo", "on"], "env": ENV, "cwd": None, "wrapped": False, "relayed": False,
    "lasting": False, "reporting": False, "announced": False,
}  # fmt: skip


@pytest.fixture
def adopted(client: AgentClient, tmp_path: Path) -> AgentClient:
    """One with a journal and a directory, and an empty storage."""
    adopt(client, tmp_path, tmp_path / "agent")
    return client


def adopt(client: AgentClient, tmp_path: Path, tmpdir: Path) -> None:
    root = tmp_path / "root"
    for kind in ("images", "containers"):
        (root / f"overlay-{kind}").mkdir(parents=True, exist_ok=True)
        (root / f"overlay-{kind}" / f"{kind}.json").write_text("[]", encoding="ascii")
    storage = {"root": str(root), "runroot": str(root), "driver": "overlay"}
    client.adopt(
        binary="/bin/false", storage=storage, env=ENV, prefix="zl-s-main-",
        images="localhost/zlayer/session/s-main/", tmpdir=str(tmpdir),
        journal=str(tmp_path / "journal.json"), session=SESSION,
    )  # fmt: skip


def kill(client: AgentClient) -> None:
    os.kill(client.pid, signal.SIGKILL)


def journal_lines(tmp_path: Path) -> list[object]:
    return [json.loads(line) for line in (tmp_path / "journal.json").read_text().splitlines()]


def test_agent_is_a_process_of_its_own_session(client: AgentClient) -> None:
    assert client.pid != os.getpid()
    assert os.getsid(client.pid) == client.pid


def test_answer(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    assert client.ask("listdir", root=str(tmp_path), path="/")[0] == ["b"]


def test_descriptor_comes_with_the_answer(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    _, [descriptor] = client.ask("open", root=str(tmp_path), path="/file")
    assert not os.get_inheritable(descriptor)
    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == b"content"


def test_what_is_passed_arrives_although_who_asks_was_interrupted(
    client: AgentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, interrupted, send = threading.Event(), threading.Event(), wire.send

    def interrupt(*_: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    def send_late(channel: socket.socket, message: wire.Message, descriptors: list[int]) -> None:
        # Again and again: one that comes just before a wait begins does not end it.
        while not closed.wait(0.05):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        send(channel, message, descriptors)

    monkeypatch.setattr(wire, "send", send_late)
    before = signal.signal(signal.SIGUSR1, interrupt)
    (reader, writer), (lifeline, theirs) = os.pipe(), socket.socketpair()
    with open(reader, "rb") as output, lifeline:
        with open(writer, "wb"), theirs, pytest.raises(KeyboardInterrupt):
            client.ask("spawn", [writer, writer, writer, theirs.fileno()], **ECHO)
        closed.set()
        assert output.read() == b"on\n"
    signal.signal(signal.SIGUSR1, before)


def interrupted_at(number: int, ask: Callable[[], object]) -> bool:
    """Whether asking was interrupted at this one of the places where handlers of signals run."""
    left = iter(range(number))
    places: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        # What is raised in the finalizer of a question would only be printed.
        is_place = event in ("call", "c_return") and frame.f_code.co_name != "close"
        if is_place and not places and next(left, None) is None:
            places.append(frame.f_code.co_name)
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        try:
            sys.setprofile(profile)
            ask()
        finally:
            sys.setprofile(None)
    return bool(places)


def test_others_get_answers_wherever_one_who_asks_was_interrupted(client: AgentClient) -> None:
    def ask() -> None:
        client.ask("lstat", root="/", path="/")

    for number in itertools.count():
        if not interrupted_at(number, ask):
            break
        other = threading.Thread(target=ask, daemon=True)
        other.start()
        other.join(90)
        assert not other.is_alive(), number
    assert number > 5


def test_error_of_the_agent_is_raised_here(client: AgentClient, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        client.ask("lstat", root=str(tmp_path), path="/none")
    assert caught.value.filename == "/none"


def test_what_cannot_be_sent_is_told_to_who_asks_and_to_nobody_else(client: AgentClient) -> None:
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        client.ask("lstat", root=b"/", path="/")
    assert client.ask("resolve", root="/", path="/")[0] == "/"


def test_closed_client(client: AgentClient) -> None:
    client.close()
    with pytest.raises(EngineUnusable) as caught:
        client.ask("lstat", root="/", path="/")
    assert str(caught.value) == "this buildah session is closed"


def test_agent_that_cannot_be_started() -> None:
    with pytest.raises(EngineUnusable) as caught:
        AgentClient(["/no/such/wrapper"], ENV)
    assert str(caught.value) == "/no/such/wrapper cannot be started: No such file or directory"


def test_wrapper_that_ends_at_once_says_why() -> None:
    client = AgentClient(["sh", "-c", "echo out of order >&2; exit 1"], ENV)
    with pytest.raises(EngineUnusable) as caught:
        client.greet()
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


def test_directory_of_the_agent_goes_with_it(adopted: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "agent" / "file").touch()
    adopted.close()
    assert not (tmp_path / "agent").exists()


def test_journal_comes_before_the_directory(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        adopt(client, tmp_path, tmp_path / "file" / "agent")
    assert caught.value.filename == str(tmp_path / "file" / "agent")
    assert (tmp_path / "journal.json").exists()


def test_agent_that_is_killed_is_replaced(adopted: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "agent" / "file").touch()
    adopted.ask("note", line={"image": "first"})
    first = adopted.pid
    kill(adopted)
    adopted.ask("note", line={"image": "second"})
    assert adopted.pid != first
    assert (tmp_path / "agent" / "file").exists()
    assert journal_lines(tmp_path) == [SESSION, {"image": "first"}, {"image": "second"}]


def test_line_cut_off_with_the_agent_is_dropped(adopted: AgentClient, tmp_path: Path) -> None:
    with (tmp_path / "journal.json").open("ab") as file:
        file.write(b'{"image": "fir')
    kill(adopted)
    adopted.ask("note", line={"image": "second"})
    assert journal_lines(tmp_path) == [SESSION, {"image": "second"}]


def test_session_lives_while_no_agent_does(adopted: AgentClient, tmp_path: Path) -> None:
    kill(adopted)
    time.sleep(0.2)
    assert Journal.take_dead(str(tmp_path / "journal.json")) is None


def test_agent_that_was_killed_unnoticed_leaves_nothing(
    adopted: AgentClient, tmp_path: Path
) -> None:
    kill(adopted)
    adopted.close()
    assert os.listdir(tmp_path) == ["root"]


def test_agent_that_is_killed_again_and_again(adopted: AgentClient, tmp_path: Path) -> None:
    for _ in range(MOST_REPLACED):
        kill(adopted)
        adopted.ask("lstat", root="/", path="/")
    kill(adopted)
    for _ in range(2):
        with pytest.raises(EngineUnusable) as caught:
            adopted.ask("lstat", root="/", path="/")
        assert str(caught.value) == "the process that runs buildah for this session has ended"
    adopted.close()
    assert os.listdir(tmp_path) == ["root"]


def test_agent_that_was_asked_to_end_is_not_replaced(adopted: AgentClient, tmp_path: Path) -> None:
    os.kill(adopted.pid, signal.SIGTERM)
    while (tmp_path / "journal.json").exists():
        time.sleep(0.01)
    with pytest.raises(EngineUnusable) as caught:
        adopted.ask("lstat", root="/", path="/")
    assert str(caught.value) == "the process that runs buildah for this session has ended"
    adopted.close()
    assert os.listdir(tmp_path) == ["root"]


def test_many_threads_get_one_new_agent(adopted: AgentClient) -> None:
    kill(adopted)
    pids: list[int] = []

    def ask() -> None:
        adopted.ask("lstat", root="/", path="/")
        pids.append(adopted.pid)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_nobody_waits_for_an_agent_that_was_released() -> None:
    agent = AgentProcess((), ENV)
    agent.release()
    with pytest.raises(AgentGone):
        agent.ask({"op": "hello", "parent": os.getpid()})


def test_who_asks_notices_a_signal_that_came_just_before() -> None:
    agent = AgentProcess((), ENV)
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        assert notices(lambda: agent.ask({"op": "hello", "parent": os.getpid()}))
    finally:
        os.kill(agent.pid, signal.SIGCONT)
        agent.release()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # out of __del__
def test_agent_answers_others_wherever_who_asks_is_interrupted(client: AgentClient) -> None:
    def ask() -> None:
        client.ask("lstat", root="/", path="/")

    for where in interruptions(ask):
        assert in_background(ask, "other").wait(90), where
