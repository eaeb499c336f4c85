"""Registries and networks that fail: how often we ask, what we say, what is left."""

from __future__ import annotations

import secrets

import pytest

from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.errors import ZlayerError
from tests.engine.building import Builds
from tests.engine.conftest import Storage
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import Proxy, Registry

ATTEMPTS = 3


@pytest.fixture
def base(registry: Registry, name: str) -> str:
    """An image that is there, behind a registry that may fail."""
    registry.put_image(f"hub/library/{name}:1")
    return f"{name}:1"


def failing_pull(builds: Builds, base: str) -> tuple[str, str | None]:
    """The sentence and the hint of a build that fails at its FROM."""
    with pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {base}\n", pull="always")
    first, *more = caught.value.message.splitlines()
    hints = [line.removeprefix("hint: ") for line in more if line.startswith("hint: ")]
    return first.removeprefix("<inline Dockerfile>:1:6: "), hints[0] if hints else None


FOR_GOOD: dict[int | str, tuple[str, int]] = {
    401: ("the registry asks for a login", 1),
    403: ("the registry denies access to this image", 1),
    "html": ("something other than a registry answered", 1),
    # buildah itself asks five times, and waits as long as the registry asks for.
    429: ("the registry asks to slow down", 5),
}


@pytest.mark.parametrize("fault", FOR_GOOD)
def test_what_will_not_pass_is_not_tried_again(
    builds: Builds, base: str, hub: Proxy, fault: int | str
) -> None:
    sentence, asked = FOR_GOOD[fault]
    hub.always = fault
    said, hint = failing_pull(builds, base)
    assert said.startswith(f"cannot pull docker.io/library/{base}: {sentence}: ")
    assert len(hub.manifests()) == asked
    assert builds.session.retries == ()
    assert hint is not None or fault == 403


def test_what_is_not_there_is_not_tried_again(builds: Builds, base: str, hub: Proxy) -> None:
    hub.always = 404
    said, _ = failing_pull(builds, base)
    assert said == f"no such base image: docker.io/library/{base}"
    assert len(hub.manifests()) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (500, "the registry has an internal error"),
        (503, "the registry has an internal error"),
        ("drop", "the connection to the registry was cut"),
    ],
)
def test_what_may_pass_is_tried_as_often_as_the_policy_says(
    builds: Builds, base: str, hub: Proxy, fault: int | str, sentence: str
) -> None:
    hub.always = fault
    said, _ = failing_pull(builds, base)
    assert said.startswith(f"cannot pull docker.io/library/{base}: {sentence}: ")
    attempts = [(retry.attempt, retry.attempts) for retry in builds.session.retries]
    assert attempts == [(1, ATTEMPTS), (2, ATTEMPTS)]
    assert {retry.text for retry in builds.session.retries} == {f"pull docker.io/library/{base}"}


@pytest.mark.parametrize("fault", [500, "drop"])
def test_one_bad_moment_is_got_over_and_reported(
    builds: Builds, base: str, hub: Proxy, fault: int | str
) -> None:
    hub.faults = [fault] if fault == 500 else [fault, fault]
    image = builds.build(f"FROM {base}\n", pull="always")
    assert image.config.env["MARK"] == "1"
    assert len(builds.session.retries) >= 1


def test_a_server_error_is_asked_about_once_an_attempt(
    builds: Builds, base: str, hub: Proxy
) -> None:
    hub.always = 500
    failing_pull(builds, base)
    assert len(hub.manifests()) == ATTEMPTS


def test_a_download_cut_in_the_middle_is_tried_again(builds: Builds, base: str, hub: Proxy) -> None:
    hub.only, hub.faults = "GET", ["cut"]
    image = builds.build(f"FROM {base}\n", pull="always")
    assert image.path("/mark").read_text() == "1 linux/amd64\n"
    (retry,) = builds.session.retries
    assert retry.reason.startswith("the connection to the registry was cut")


def test_nobody_listens(builds: Builds, name: str) -> None:
    said, _ = failing_pull(builds, f"127.0.0.1:1/{name}:1")
    assert said == (
        f"cannot pull 127.0.0.1:1/{name}:1: the registry cannot be reached: "
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )
    assert len(builds.session.retries) == ATTEMPTS - 1


def test_a_registry_that_nobody_knows(builds: Builds, name: str) -> None:
    said, hint = failing_pull(builds, f"registry.invalid/{name}:1")
    begin = f"cannot pull registry.invalid/{name}:1: the name of the registry cannot be resolved: "
    assert said.startswith(begin)
    assert hint == "check the network and the spelling of the registry"


def test_a_registry_that_hangs_is_given_up(session: Sessions, base: str, hub: Proxy) -> None:
    hub.always = "hang"
    with session(transfer_timeout=0.5) as builds:
        said, hint = failing_pull(builds, base)
        assert builds.session.retries == ()
    assert said == f"cannot pull docker.io/library/{base}: it had not finished after 0.5 s"
    assert hint == "allow more time, or check the registry"


def test_a_pull_takes_no_longer_than_the_build_may(builds: Builds, base: str, hub: Proxy) -> None:
    hub.always = "hang"
    with pytest.raises(ZlayerError, match=r"it had not finished after 0\.\d+ s"):
        builds.build(f"FROM {base}\n", pull="always", timeout=0.6)


@pytest.mark.parametrize("fault", ["hang", "drop", "cut", 500])
def test_failed_pulls_leave_nothing(
    session: Sessions, own_storage: Storage, base: str, hub: Proxy, fault: int | str
) -> None:
    before = own_storage.leftovers()
    hub.only, hub.always = "GET", fault
    with session(on=own_storage, cache="session", transfer_timeout=0.7) as builds:
        failing_pull(builds, base)
    assert own_storage.leftovers() == before
    assert own_storage.image_names() == []


PUSHES: dict[int | str, tuple[str, int]] = {
    401: ("the registry asks for a login", 1),
    403: ("the registry denies access to this image", 1),
    500: ("the registry has an internal error", ATTEMPTS),
    "drop": ("the connection to the registry was cut", ATTEMPTS),
}


@pytest.mark.parametrize("fault", PUSHES)
def test_pushes_are_judged_alike(builds: Builds, name: str, hub: Proxy, fault: int | str) -> None:
    sentence, attempts = PUSHES[fault]
    image = builds.build(f"FROM scratch\nENV A={secrets.token_hex(4)}\nCOPY <<x /x\nx\n")
    hub.always = fault
    with pytest.raises(ZlayerError) as caught:
        image.push(f"{hub.address}/{name}:1")
    begin = f"cannot push {hub.address}/{name}:1: {sentence}: "
    assert caught.value.message.startswith(begin)
    assert len(builds.session.retries) == attempts - 1


def test_a_push_that_failed_once_is_whole_after_all(
    builds: Builds, registry: Registry, name: str, hub: Proxy
) -> None:
    image = builds.build(f"FROM scratch\nENV A={secrets.token_hex(4)}\nCOPY <<x /x\nx\n")
    hub.only, hub.faults = "PUT", [500]
    assert image.push(f"{hub.address}/{name}:1") == (registry.digest(f"{name}:1"),)
    assert [retry.text for retry in builds.session.retries] == [f"push {hub.address}/{name}:1"]


def test_pauses_between_attempts_are_those_of_the_policy(
    session: Sessions, base: str, hub: Proxy
) -> None:
    hub.always = 503
    policy = RetryPolicy(retries=1, delay=0.002)
    with session(transfer_retry=policy) as builds:
        failing_pull(builds, base)
        assert [retry.delay for retry in builds.session.retries] == [0.002]
