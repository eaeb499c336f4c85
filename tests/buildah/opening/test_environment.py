"""The environment of buildah: built, not inherited."""

from __future__ import annotations

from pathlib import Path

from pytest_zlayer.buildah.opening.environment import (
    engine_environment,
    other_engines,
    proxy_environment,
)

USER = {
    "PATH": "/bin",
    "HOME": "/home/x",
    "TMPDIR": "/tmp/theirs",
    "XDG_RUNTIME_DIR": "/run/user/1",
    "CONTAINERS_CONF": "/c",
    "BUILDAH_ISOLATION": "chroot",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "http_proxy": "http://u:p@proxy",
    "NO_PROXY": "localhost",
}


def test_only_what_configures_buildah_is_kept() -> None:
    assert engine_environment(USER, Path("/ours"), Path("/auth.json")) == {
        "PATH": "/bin",
        "HOME": "/home/x",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "CONTAINERS_CONF": "/c",
        "TMPDIR": "/ours",
        "REGISTRY_AUTH_FILE": "/auth.json",
    }


def test_docker_config_counts_only_with_its_file(tmp_path: Path) -> None:
    user = {"DOCKER_CONFIG": str(tmp_path)}
    assert "DOCKER_CONFIG" not in engine_environment(user, Path("/ours"))

    (tmp_path / "config.json").write_text("{}", encoding="ascii")
    assert engine_environment(user, Path("/ours"))["DOCKER_CONFIG"] == str(tmp_path)


def test_docker_finds_its_contexts_without_that_file(tmp_path: Path) -> None:
    user = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "there"}
    assert other_engines(user) == user


def test_there_is_always_a_path() -> None:
    assert engine_environment({}, Path("/ours"))["PATH"].startswith("/usr/local/sbin:")


def test_proxies_are_handed_on_their_own() -> None:
    assert proxy_environment(USER) == {"http_proxy": "http://u:p@proxy", "NO_PROXY": "localhost"}
