"""Registries that ask for a password, which must be seen nowhere."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pytest_zlayer.errors import ZlayerError
from tests.engine.conftest import Storage
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import PASSWORD, USER, Registry

WRONG = "Wr0ng-canary-word"
AuthFile = Callable[[str], Path]
_NOTING = """\
#!/bin/sh
echo "$0 $*" >> {calls}
exec {buildah} "$@"
"""


@pytest.fixture
def authfile(locked_registry: Registry, tmp_path: Path) -> AuthFile:
    """Writes an auth file with a password."""

    def write(password: str) -> Path:
        known = base64.b64encode(f"{USER}:{password}".encode()).decode()
        path = tmp_path / f"auth-{len(password)}.json"
        content = {"auths": {locked_registry.address: {"auth": known}}}
        path.write_text(json.dumps(content), encoding="ascii")
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def locked(locked_registry: Registry, name: str) -> str:
    """An image for which one has to log in."""
    locked_registry.put_image(f"{name}:1", mark="locked")
    return f"{locked_registry.address}/{name}:1"


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Every command line seen on this machine meanwhile."""
    seen: set[bytes] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.003):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # ended meanwhile
                    seen.add(entry.read_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def test_the_auth_file_of_the_options_opens_the_registry(
    session: Sessions, authfile: AuthFile, locked: str
) -> None:
    with session(authfile=authfile(PASSWORD)) as builds:
        assert builds.build(f"FROM {locked}\n", pull="always").config.env["MARK"] == "locked"


def test_the_auth_file_of_the_environment_opens_the_registry(
    session: Sessions, authfile: AuthFile, locked: str
) -> None:
    with session(environment={"REGISTRY_AUTH_FILE": str(authfile(PASSWORD))}) as builds:
        assert builds.build(f"FROM {locked}\n", pull="always").config.env["MARK"] == "locked"


def test_docker_configuration_without_a_file_stops_nothing(
    session: Sessions, registry: Registry, name: str, tmp_path: Path
) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="open")
    with session(environment={"DOCKER_CONFIG": str(tmp_path)}) as builds:
        assert builds.build(f"FROM {name}:1\n", pull="always").config.env["MARK"] == "open"


def test_without_a_login_the_error_says_so_and_what_to_do(session: Sessions, locked: str) -> None:
    with session() as builds, pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {locked}\n", pull="always")
    first, *_, hint = caught.value.message.splitlines()
    assert first == (
        f"<inline Dockerfile>:1:6: cannot pull {locked}: the registry asks for a login: "
        "unauthorized: authentication required"
    )
    assert hint == (
        "hint: log in with buildah login, or name a file of logins with --zlayer-authfile"
    )
    assert builds.session.retries == ()


def test_a_wrong_password_is_an_error_that_does_not_show_it(
    session: Sessions, authfile: AuthFile, locked: str
) -> None:
    file = authfile(WRONG)
    with session(authfile=file) as builds, pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {locked}\n", pull="always")
    assert f": the registry refused the login in {file}: " in caught.value.message
    assert f"hint: log in again with buildah login {locked.partition('/')[0]}, or name" in (
        caught.value.message
    )
    assert WRONG not in str(caught.value)


def test_a_wrong_password_of_a_push_is_named_by_its_file(
    session: Sessions, authfile: AuthFile, locked_registry: Registry, name: str
) -> None:
    file = authfile(WRONG)
    with session() as builds:
        image = builds.build("FROM scratch\nENV A=1\n")
        with pytest.raises(ZlayerError) as caught:
            image.push(f"{locked_registry.address}/{name}:2", authfile=file)
    assert f"the registry refused the login in {file}" in caught.value.message


def test_a_login_for_another_registry_is_none(
    session: Sessions, locked: str, tmp_path: Path
) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {"registry.example.com": {"auth": "YTpi"}}}))
    with session(authfile=file) as builds, pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {locked}\n", pull="always")
    assert "the registry asks for a login" in caught.value.message


def test_a_push_may_have_an_auth_file_of_its_own(
    session: Sessions, authfile: AuthFile, locked_registry: Registry, name: str
) -> None:
    with session() as builds:
        image = builds.build("FROM scratch\nENV A=1\n")
        (digest,) = image.push(f"{locked_registry.address}/{name}:2", authfile=authfile(PASSWORD))
    assert locked_registry.digest(f"{name}:2") == digest


def test_a_push_without_a_login_fails(
    session: Sessions, locked_registry: Registry, name: str
) -> None:
    with session() as builds, pytest.raises(ZlayerError) as caught:
        builds.build("FROM scratch\nENV A=1\n").push(f"{locked_registry.address}/{name}:2")
    assert "the registry asks for a login" in caught.value.message
    assert locked_registry.digest(f"{name}:2") is None


def test_the_password_is_seen_nowhere(
    session: Sessions, storage: Storage, authfile: AuthFile, locked: str, tmp_path: Path
) -> None:
    secrets = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    logs, calls, buildah = tmp_path / "logs", tmp_path / "calls", tmp_path / "buildah"
    # What sampling may miss: the command lines of buildah itself.
    buildah.write_text(_NOTING.format(calls=calls, buildah=shutil.which(storage.binary)))
    buildah.chmod(0o755)
    options = {"authfile": authfile(PASSWORD), "log_dir": logs, "buildah": str(buildah)}
    with command_lines() as seen, session(**options) as builds:
        image = builds.build(f"FROM {locked}\nCOPY <<x /x\nx\n", pull="always")
        image.push(f"{locked}-pushed")
        said = f"{builds.events} {image.history}"
    written = b"".join(path.read_bytes() for path in logs.rglob("*") if path.is_file())
    called = calls.read_bytes()
    shown = b"\n".join([*seen, called, said.encode(), written])
    assert b"manifest" in called
    assert [one for one in secrets if one.encode() in shown] == []


def test_an_auth_file_that_is_not_there(session: Sessions, locked: str, tmp_path: Path) -> None:
    with (
        session(authfile=tmp_path / "absent.json") as builds,
        pytest.raises(ZlayerError) as caught,
    ):
        builds.build(f"FROM {locked}\n", pull="always")
    assert "the registry credentials file cannot be read" in str(caught.value)
