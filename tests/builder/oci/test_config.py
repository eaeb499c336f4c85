"""Image configurations: from JSON to typed values, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_zlayer.builder.oci.chain import Chain, HistoryEntry, Layer
from pytest_zlayer.builder.oci.config import (
    config_json,
    natural_format,
    read_config,
    without_field,
)
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Words

CREATED = "2024-01-01T00:00:00Z"
INNER: dict[str, Any] = {
    "User": "app",
    "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
    "Env": ["A=1", "B=x=y", "C="],
    "Entrypoint": ["/bin/sh", "-c"],
    "Cmd": ["echo hello"],
    "Volumes": {"/data": {}},
    "WorkingDir": "/srv",
    "Labels": {"k": "v"},
    "StopSignal": "SIGINT",
    "Healthcheck": {
        "Test": ["CMD", "true"],
        "Interval": 1,
        "Timeout": 2,
        "StartPeriod": 3,
        "StartInterval": 4,
        "Retries": 5,
    },
    "Shell": ["/bin/bash", "-c"],
    "OnBuild": ["RUN x"],
}
WHOLE: dict[str, Any] = {
    "created": CREATED,
    "author": "Ada",
    "architecture": "arm",
    "os": "windows",
    "os.version": "10.0",
    "variant": "v7",
    "config": INNER,
    "rootfs": {"type": "layers", "diff_ids": ["sha256:a"]},
    "history": [{"created": CREATED, "created_by": "RUN a"}],
}
CHAIN = Chain((Layer("sha256:a", 1),), (HistoryEntry("RUN a", CREATED),))


def written(config: ImageConfig, chain: Chain = CHAIN) -> dict[str, Any]:
    return config_json(config, chain, created=CREATED)


def test_every_field_is_read() -> None:
    found = read_config(WHOLE)
    assert found.env == {"A": "1", "B": "x=y", "C": ""}
    assert (found.cmd, found.entrypoint) == (("echo hello",), ("/bin/sh", "-c"))
    assert (found.user, found.workdir) == ("app", "/srv")
    assert set(found.exposed_ports) == {"80/tcp", "53/udp"}
    assert (found.volumes, found.labels) == (("/data",), {"k": "v"})
    assert found.healthcheck == HealthProbe(("CMD", "true"), 1, 2, 3, 4, 5)
    assert (found.stop_signal, found.shell) == ("SIGINT", ("/bin/bash", "-c"))
    assert (found.onbuild, found.author) == (("RUN x",), "Ada")
    assert (found.architecture, found.os) == ("arm", "windows")
    assert (found.variant, found.os_version) == ("v7", "10.0")


def test_what_is_read_is_written_back() -> None:
    assert written(read_config(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    "nothing",
    [{}, {"config": None}, {"config": dict.fromkeys(INNER)}, {"author": None, "os": None}],
)
def test_what_is_missing_or_null_is_not_set(nothing: dict[str, Any]) -> None:
    found = read_config(nothing)
    assert (found.cmd, found.entrypoint, found.shell) == (None, None, None)
    assert (found.healthcheck, found.stop_signal) == (None, None)
    assert (found.user, found.workdir, found.author) == ("", "", "")
    assert (found.architecture, found.os, found.variant, found.os_version) == ("", "", "", "")
    assert (found.env, found.labels) == ({}, {})
    assert (found.exposed_ports, found.volumes, found.onbuild) == ((), (), ())


def test_a_health_check_may_say_little() -> None:
    found = read_config({"config": {"Healthcheck": {"Test": None, "Retries": 3}}}).healthcheck
    assert found == HealthProbe((), 0, 0, 0, 0, 3)
    found = read_config({"config": {"Healthcheck": {"Test": ["NONE"]}}}).healthcheck
    assert found == HealthProbe(("NONE",), 0, 0, 0, 0, 0)


def test_what_is_not_set_is_not_written() -> None:
    assert written(ImageConfig(), Chain()) == {
        "created": CREATED,
        "architecture": "",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [],
    }


def test_of_a_health_check_only_what_is_set_is_written() -> None:
    config = replace(ImageConfig(), healthcheck=HealthProbe(("NONE",), 0, 0, 0, 0, 0))
    assert written(config)["config"] == {"Healthcheck": {"Test": ["NONE"]}}


def test_an_empty_command_is_not_the_same_as_none() -> None:
    assert written(replace(ImageConfig(), cmd=Words()))["config"] == {"Cmd": []}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (ImageConfig(), ()),
        (replace(ImageConfig(), shell=Words(["sh"])), ("SHELL",)),
        (replace(ImageConfig(), onbuild=Words(["RUN x"])), ("ONBUILD",)),
        (read_config(WHOLE), ("HEALTHCHECK", "SHELL", "ONBUILD")),
    ],
)
def test_what_oci_has_no_field_for_asks_for_docker(
    config: ImageConfig, names: tuple[str, ...]
) -> None:
    assert without_field(config) == names
    assert natural_format(config) == ("docker" if names else "oci")
