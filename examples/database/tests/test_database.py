"""A database: when it is ready, what it keeps, how it ends."""

from __future__ import annotations

import socket

import pytest

from pytest_zlayer import Service, ready, service_fixture

READY = ready.log("Ready to accept connections")

shared = service_fixture("..", port=6379, ready=READY, name="database")


def say(service: Service, *words: str) -> str:
    """What the database answers to a command, by its own protocol."""
    with socket.create_connection(service.address(), timeout=10) as connection:
        connection.sendall(f"{' '.join(words)}\r\n".encode())
        return connection.makefile().readline().strip()


def test_it_answers(shared):
    assert say(shared, "PING") == "+PONG"
    assert shared.run(["redis-cli", "ping"]).stdout == "PONG\n"


def test_it_runs_as_its_own_user(shared):
    assert shared.run(["id", "-un"]).stdout == "redis\n"
    assert shared.image.config.user == "redis"


@pytest.mark.image("..")
@pytest.mark.zlayer_service(ready=ready.command(["redis-cli", "ping"]))
def test_data_is_kept_over_a_restart(zlayer_service):
    assert say(zlayer_service, "SET", "answer", "42") == "+OK"
    zlayer_service.restart()
    zlayer_service.wait(READY)
    assert zlayer_service.run(["redis-cli", "get", "answer"]).stdout == "42\n"


@pytest.mark.image("..")
@pytest.mark.zlayer_service(ready=READY)
def test_each_test_has_its_own(zlayer_service):
    assert zlayer_service.run(["redis-cli", "get", "answer"]).stdout == "\n"


@pytest.mark.image("..")
@pytest.mark.zlayer_service(ready=READY)
def test_a_crash_is_seen(zlayer_service):
    zlayer_service.kill("SIGKILL")
    zlayer_service.wait(ready.exited(128 + 9))
    assert "Ready to accept connections" in zlayer_service.logs()


@pytest.mark.image("..")
def test_a_wrong_option_ends_it(zlayer_image):
    run_once = zlayer_image.serve(["redis-server", "--no-such-option", "1"], ready=ready.exited(1))
    with run_once as database:
        assert "no-such-option" in database.logs()
