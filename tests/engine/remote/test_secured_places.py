"""Places in registries that speak TLS, and want passwords or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import RegistryPlace
from tests.engine.building import Builds, write_files
from tests.engine.registry.secured import Authority, TokenServer, token_server, write_login
from tests.engine.registry.servers import PASSWORD, USER, running_registry
from tests.engine.remote.conftest import STEPS, Machines, fetched, problems, sent


@dataclass
class Secured:
    """A registry that speaks TLS, and machines that may trust it."""

    address: str
    authority: Authority
    machine: Machines
    directory: Path
    tokens: TokenServer | None = None

    @property
    def context(self) -> Path:
        return write_files(self.directory / "context", {"data": "hello\n"})

    @property
    def place(self) -> RegistryPlace:
        return RegistryPlace(f"{self.address}/team/zlayer")

    def session(
        self, user: str | None, *, trusts: bool = True, **changes: Any
    ) -> AbstractContextManager[Builds]:
        machine = self.machine()
        home = machine.storage.root.parent / "home"
        home.mkdir()
        if trusts:
            self.authority.trust(home, self.address)
        environment = {
            **machine.storage.environment,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
        }
        if user is not None:
            changes["authfile"] = write_login(home / "auth.json", self.address, user, PASSWORD)
        return machine.session(environment=environment, **changes)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "authority")


@pytest.fixture
def locked(authority: Authority, machine: Machines, tmp_path: Path) -> Iterator[Secured]:
    """A registry with passwords."""
    with running_registry(tmp_path, login=True, authority=authority) as running:
        yield Secured(running.address, authority, machine, tmp_path)


@pytest.fixture
def with_tokens(authority: Authority, machine: Machines, tmp_path: Path) -> Iterator[Secured]:
    """A registry whose users get tokens elsewhere."""
    with (
        token_server(authority, PASSWORD) as tokens,
        running_registry(tmp_path, authority=authority, tokens=tokens) as running,
    ):
        yield Secured(running.address, authority, machine, tmp_path, tokens)


def test_with_a_login_layers_are_shared(locked: Secured) -> None:
    with locked.session(USER, cache_to=locked.place) as first:
        image = first.build(STEPS, locked.context).id
    assert problems(first) == []
    assert sent(first)
    with locked.session(USER, cache_from=(locked.place,)) as second:
        assert second.build(STEPS, locked.context).id == image
        assert second.executed() == []
    assert problems(second) == []


@pytest.mark.parametrize(
    ("user", "trusts", "reason"),
    [(None, True, "authentication required"), (USER, False, "certificate")],
    ids=["no login", "no trust"],
)
def test_what_is_missing_is_reported_once(
    locked: Secured, user: str | None, trusts: bool, reason: str
) -> None:
    with locked.session(user, trusts=trusts, cache_from=(locked.place,)) as builds:
        builds.build(STEPS, locked.context)
        builds.build(f"{STEPS}LABEL a=b\n", locked.context)
        assert len(builds.executed()) == 3
    assert len(problems(builds)) == 1
    assert reason in problems(builds)[0]


def test_a_user_whose_token_lets_him_only_read_gets_a_note(with_tokens: Secured) -> None:
    place = with_tokens.place
    with with_tokens.session("writer", cache_to=place) as first:
        image = first.build(STEPS, with_tokens.context).id
    assert problems(first) == []
    assert sent(first)
    with with_tokens.session("reader", cache_from=(place,), cache_to=place) as second:
        assert second.build(STEPS, with_tokens.context).id == image
        second.build(f"{STEPS}RUN echo more > /more\n", with_tokens.context)
        assert second.executed() == ["RUN echo more > /more"]
        assert fetched(second)
    assert [one.partition(":")[0] for one in problems(second)] == ["it is read-only"]
    assert with_tokens.tokens is not None
    users = {user for user, _ in with_tokens.tokens.granted}
    assert users == {"writer", "reader"}
