"""What is carried over from buildah's specification, and what is left to buildah."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.run_request import RunRequest, Tmpfs, Volume
from pytest_zlayer.buildah.runtime.change import Change
from pytest_zlayer.buildah.runtime.container_record import ContainerRecord
from pytest_zlayer.buildah.runtime.specification import (
    HostFile,
    NotUnderstood,
    from_json,
    to_json,
    understand,
)
from pytest_zlayer.buildah.runtime.users import User

PROBE = ("zl-probe-", "0123456789abcdef")
TAKEN: dict[str, Any] = {
    "arguments": [
        "--root=/tmp/state", "create", "--bundle", "/tmp/b", "--pid-file", "/tmp/b/pid",
        "--no-pivot", "buildah-b",
    ],
    "bundle": "/tmp/b",
    "config": {
        "ociVersion": "1.0.2-dev",
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
            "args": ["/exit-zero"],
            "env": ["PATH=/bin", "HOSTNAME=0123456789ab"],
            "cwd": "/",
            "capabilities": {"bounding": ["CAP_CHOWN"]},
        },
        "root": {"path": "/tmp/b/mnt/rootfs"},
        "hostname": "0123456789ab",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": []},
            {"destination": "/etc/hosts", "type": "bind", "source": "/tmp/b/hosts"},
            {"destination": "/run/.containerenv", "type": "bind", "source": "/tmp/b/env"},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []},
        ],
        "linux": {"namespaces": [{"type": "pid"}], "seccomp": {"defaultAction": "x"}},
    },
    "files": {
        "/tmp/b/hosts": {"mode": 0o644, "text": "127.0.0.1 0123456789ab zl-probe-\n"},
        "/tmp/b/env": {
            "mode": 0o755,
            "text": f'\nengine="e"\nname="{PROBE[0]}"\nid="{PROBE[1]}"\nimage=""\nimageid=""\n',
        },
    },
}  # fmt: skip
RECORD = ContainerRecord(
    name="c", id="fedcba9876543210", image="docker.io/i", image_id="77", env=["A=image", "PATH=/x"],
    user="", workdir="/w", way="",
)  # fmt: skip


def change(**request: Any) -> Change:
    wanted = RunRequest("c", ["sh"], **request)
    return Change(wanted, RECORD, User(5, 6, (6,)), Path("/merged"), Path("/tmp/n"))


def test_command_is_what_changes() -> None:
    known = understand(TAKEN, PROBE)
    config = change(env={"A": "own"}, hidden_env={"B": "secret"}).config(known)
    process = config["process"]
    assert (process["args"], process["cwd"]) == (["sh"], "/w")
    assert process["env"] == ["PATH=/x", "A=own", "B=secret", "HOSTNAME=fedcba987654"]
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": [6]}
    assert process["capabilities"] == TAKEN["config"]["process"]["capabilities"]
    assert (config["root"], config["hostname"]) == ({"path": "/merged"}, "fedcba987654")
    assert config["linux"] == TAKEN["config"]["linux"]


def test_step_of_a_build_has_its_own_host_name_and_reads_the_files_of_the_engine() -> None:
    taken = copy.deepcopy(TAKEN)
    mount = {"destination": "/etc/hostname", "type": "bind", "source": "/tmp/b/hostname"}
    taken["config"]["mounts"].append(mount)
    taken["files"]["/tmp/b/hostname"] = {"mode": 0o644, "text": "0123456789ab\n"}
    known, step = understand(taken, PROBE), change(hostname="box")
    config = step.config(known)
    hosts = next(one for one in config["mounts"] if one["destination"] == "/etc/hosts")
    assert (config["hostname"], config["process"]["env"][-1]) == ("box", "HOSTNAME=box")
    assert hosts["options"] == ["ro"]
    assert "/etc/hostname" not in [one["destination"] for one in config["mounts"]]
    assert step.files(known)["/etc/hosts"].text == "127.0.0.1 box c\n"
    assert "/etc/hostname" not in step.files(known)
    assert "/etc/hostname" in change().files(known)


def test_specification_is_not_changed_itself() -> None:
    taken = copy.deepcopy(TAKEN)
    change(env={"A": "own"}).config(understand(taken, PROBE))
    assert taken == TAKEN


def test_mounts_of_the_command_take_the_place_of_others_and_outer_ones_come_first() -> None:
    volumes = [Volume(Path("/host"), "/v/w/x", readonly=True), Volume(Path("/s"), "/dev/shm")]
    config = change(volumes=volumes, tmpfs=[Tmpfs("/t", 9)]).config(understand(TAKEN, PROBE))
    found = [(one["destination"], one["source"]) for one in config["mounts"]]
    assert found == [
        ("/t", "tmpfs"),
        ("/proc", "proc"),
        ("/dev/shm", "/s"),
        ("/etc/hosts", "/tmp/n/etc-hosts"),
        ("/run/.containerenv", "/tmp/n/run-.containerenv"),
        ("/v/w/x", "/host"),
    ]
    assert config["mounts"][0]["options"] == ["size=9", "rw", "private"]
    assert config["mounts"][-1]["options"] == ["ro", "private", "rbind"]


def test_files_name_the_container() -> None:
    assert change().files(understand(TAKEN, PROBE)) == {
        "/etc/hosts": HostFile("127.0.0.1 fedcba987654 c\n", 0o644),
        "/run/.containerenv": HostFile(
            '\nengine="e"\nname="c"\nid="fedcba9876543210"\nimage="docker.io/i"\nimageid="77"\n',
            0o755,
        ),
    }


@pytest.mark.parametrize(
    "volume",
    [Volume(Path("/host"), "/v", options=("U",)), Volume(Path("/host"), "/etc/hosts")],
    ids=["options", "in place of a file of buildah's"],
)
def test_volume_that_is_left_to_buildah(volume: Volume) -> None:
    with pytest.raises(NotUnderstood):
        change(volumes=[volume]).config(understand(TAKEN, PROBE))


def test_options_of_the_runtime_are_kept() -> None:
    known = understand(TAKEN, PROBE)
    assert (known.before, known.options) == ([], ["--no-pivot"])


def test_what_is_remembered_is_the_same() -> None:
    known = understand(TAKEN, PROBE)
    assert from_json(json.loads(json.dumps(to_json(known)))) == known


@pytest.mark.parametrize("damaged", [None, [], {}, {"container": ["a"]}, {"container": ["a", "b"]}])
def test_damaged_memory_counts_for_nothing(damaged: object) -> None:
    assert from_json(damaged) is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["hooks"], {"poststop": [{"path": "/x"}]}),
        (["hostname"], "another"),
        (["process", "selinuxLabel"], "system_u:object_r:container_t:s0:c1,c2"),
        (["linux", "mountLabel"], "system_u:object_r:container_file_t:s0:c1,c2"),
        (["linux", "cgroupsPath"], "/buildah/0123"),
        (["linux", "uidMappings"], [{"containerID": 0}]),
        (["linux", "namespaces"], [{"type": "network", "path": "/run/netns/x"}]),
        (["linux", "namespaces"], [{"type": "user"}]),
        (["mounts"], [{"destination": "/x", "source": "/tmp/b/unknown"}]),
        (["process"], None),
    ],
)
def test_what_is_not_known_is_left_to_buildah(place: list[str], value: object) -> None:
    taken = copy.deepcopy(TAKEN)
    part = taken["config"]
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    with pytest.raises(NotUnderstood):
        understand(taken, PROBE)


def test_arguments_that_nobody_knows_are_left_to_buildah() -> None:
    taken = {**TAKEN, "arguments": ["--log", "/tmp/b/log", *TAKEN["arguments"]]}
    with pytest.raises(NotUnderstood):
        understand(taken, PROBE)
