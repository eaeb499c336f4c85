"""The channel between processes."""

from __future__ import annotations

import socket
import threading

import pytest

from pytest_zlayer import events
from pytest_zlayer.plugin.progress.channel import Receiver, Sender

EVENT = events.Pulling(build_id="1", image="api", reference="alpine")


@pytest.fixture
def received():
    return []


@pytest.fixture
def receiver(received):
    made = Receiver(lambda *reported: received.append(reported))
    yield made
    made.close()


def test_events_arrive_in_order_with_their_worker(receiver, received):
    sender = Sender(receiver.address, "gw3")
    for number in range(100):
        event = events.PullProgress(build_id="1", image="api", reference="a", layers=number)
        assert sender.send(event)
    sender.close()
    receiver.join("gw3")
    assert [event.layers for event, _, _ in received] == list(range(100))
    assert {worker for _, worker, _ in received} == {"gw3"}


def test_the_end_is_heard_although_a_forked_child_has_the_socket_too(receiver, received):
    sender = Sender(receiver.address, "gw0")
    with sender._socket.dup():
        sender.send(EVENT)
        sender.close()
        receiver.join("gw0")
        assert not receiver._threads["gw0"].result().is_alive()
    assert [event for event, _, _ in received] == [EVENT]


def test_threads_may_send_at_once(receiver, received):
    sender = Sender(receiver.address, "gw0")
    threads = [threading.Thread(target=sender.send, args=(EVENT,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close()
    receiver.join("gw0")
    assert [event for event, _, _ in received] == [EVENT] * 20


def test_who_does_not_know_the_token_is_not_listened_to(receiver, received):
    name = receiver.address.partition(" ")[0]
    stranger = Sender(f"{name} {'0' * 32}", "gw0")
    stranger.send(EVENT)
    stranger.close()
    friend = Sender(receiver.address, "gw1")
    friend.send(EVENT)
    friend.close()
    receiver.join("gw1")
    assert [worker for _, worker, _ in received] == ["gw1"]


def test_half_a_line_of_a_killed_worker_is_passed_over(receiver, received):
    name, _, token = receiver.address.partition(" ")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as broken:
        broken.connect(f"\0{name}")
        broken.sendall(f'{token} gw0\n{{"event": "Pul'.encode())
    receiver.join("gw0")
    assert received == []


def test_a_build_goes_on_when_nobody_listens_any_more(receiver):
    sender = Sender(receiver.address, "gw0")
    receiver.close()
    sender.close()
    assert sender.send(EVENT) is False


def test_nobody_at_the_address_is_reported():
    with pytest.raises(OSError, match="refused"):
        Sender("zlayer-nobody token", "gw0")
