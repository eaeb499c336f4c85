"""What RUN steps may take, and the hosts they know by name."""

from __future__ import annotations

import pytest

from pytest_zlayer import ImageSpec, UsageError
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX, Storage

TEXT = f"FROM {BUSYBOX}\nRUN ulimit -n > /files; cat /etc/hosts > /hosts; df -k /dev/shm > /shm\n"


def test_limits_reach_run_steps(storage: Storage, busybox: str) -> None:
    with building(storage) as builds:
        image = builds.build(
            TEXT, ulimits=("nofile=100:200",), add_hosts=("db=10.0.0.2",), shm_size="32MB"
        )
        assert image.path("/files").read_text() == "100\n"
        if builds.session.engine.isolation == "oci":
            assert "10.0.0.2\tdb" in image.path("/hosts").read_text()
            assert " 32768 " in image.path("/shm").read_text()
        other = builds.build(TEXT, ulimits=("nofile=101:200",))
        assert other.path("/files").read_text() == "101\n"


@pytest.mark.parametrize(
    ("argument", "value", "reported"),
    [
        ("shm_size", "much", "shm_size must be a size such as 64m or 1g, not 'much'"),
        ("memory", "-1", "memory must be a size"),
        ("ulimits", ("nofile",), "ulimits: expected NAME=SOFT"),
        ("add_hosts", ("db",), "add_hosts: expected NAME:ADDRESS, not 'db'"),
        ("memory", "9" * 5000, f"memory must be a size such as 64m or 1g, not '{'9' * 60}…'"),
        ("shm_size", "9" * 10 + "g", "shm_size must be a size"),
        ("ulimits", (f"nofile={'9' * 5000}",), "ulimits: expected NAME=SOFT"),
        ("ulimits", ("nosuch=1",), "ulimits: unknown limit 'nosuch'"),
        ("ulimits", ("nofile=9:1",), "ulimits: the soft limit is above the hard one"),
        ("ulimits", ("nofile=-1:1",), "ulimits: the soft limit is above the hard one"),
        ("add_hosts", ("db:999.1.1.1",), "add_hosts: expected NAME:ADDRESS"),
        ("add_hosts", ("db:::::1",), "add_hosts: expected NAME:ADDRESS"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(argument: str, value: object, reported: str) -> None:
    with pytest.raises(UsageError) as caught:
        ImageSpec(text="FROM scratch", **{argument: value})
    assert reported in str(caught.value)


def test_what_can_be_a_limit() -> None:
    ImageSpec(
        text="FROM scratch",
        memory="9" * 18,
        ulimits=("nofile=-1", "core=0:-1", "nproc=5"),
        add_hosts=("a=::1", "b:[::1]", "c:10.0.0.1"),
    )
