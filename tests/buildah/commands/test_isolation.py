"""What is tried to isolate a RUN, and with what program."""

from __future__ import annotations

import platform
import resource
import subprocess
from pathlib import Path
from typing import cast

import pytest

from pytest_zlayer.buildah.commands import isolation
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.isolation import candidates
from pytest_zlayer.buildah.commands.isolation_kinds import Isolation, contain
from pytest_zlayer.buildah.commands.probe import Memory
from pytest_zlayer.buildah.commands.probe_container import Probe, exit_zero
from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.choices import ISOLATION_KINDS


def test_candidates_come_strongest_first(tmp_path: Path) -> None:
    for name in ("crun", "runc", "unshare"):
        (tmp_path / name).write_text("", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    found = list(candidates(ISOLATION_KINDS, str(tmp_path), rootless=False))
    assert found == [
        Isolation("oci", f"{tmp_path}/crun"),
        Isolation("oci", f"{tmp_path}/runc"),
        Isolation("rootless", f"{tmp_path}/crun"),
        Isolation("rootless", f"{tmp_path}/runc"),
        Isolation("chroot", contained=True),
        Isolation("chroot"),
    ]


def test_isolation_asked_for_is_the_only_candidate(tmp_path: Path) -> None:
    assert list(candidates(["chroot"], str(tmp_path), rootless=True)) == [Isolation("chroot")]


def test_program_of_a_few_bytes_ends_with_zero(tmp_path: Path) -> None:
    content = exit_zero(platform.machine())
    if content is None:
        pytest.skip("no program for this machine")
    file = tmp_path / "exit-zero"
    file.write_bytes(content)
    file.chmod(0o755)
    assert subprocess.run([str(file)], check=False).returncode == 0


def test_no_program_for_an_unknown_machine() -> None:
    assert exit_zero("vax") is None


def test_isolation_in_words() -> None:
    assert str(Isolation("oci", "/usr/sbin/runc")) == "oci with runc"
    assert str(Isolation("chroot", contained=True)) == "chroot"


def test_contained_run_without_a_network() -> None:
    assert contain(network=False) == [*contain(), "--net"]


@pytest.mark.parametrize(
    "remembered",
    [
        None, 1, [], "x", {"kind": "oci"}, {"kind": "oci", "runtime": "/tmp/evil"},
        {"kind": 5, "runtime": None, "contained": False}, {"kind": "chroot", "more": 1},
    ],
)  # fmt: skip
def test_remembered_isolation_is_believed_only_if_it_would_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: object
) -> None:
    runtime = tmp_path / "runc"
    runtime.touch(0o755)
    memory = Memory(tmp_path / "answers.json", {})
    memory.put(f"isolation oci:{runtime}", remembered)
    tried = Isolation("oci", str(runtime))
    monkeypatch.setattr(isolation, "_try_all", lambda *_, **__: tried)
    commander = Commander(cast("Runner", None), Path("/b"), {"PATH": str(tmp_path)})
    probe = Probe(commander, "c", tmp_path, str)
    chosen = isolation.choose(probe, "oci", memory, rootless=False)
    assert chosen == tried


def test_limits_that_cannot_be_raised_get_the_line_for_the_configuration(tmp_path: Path) -> None:
    class Limited:
        can_run = True
        commander = Commander(cast("Runner", None), Path("/b"), {"PATH": str(tmp_path)})

        def attempt(self, tried: Isolation) -> str:
            if tried.runtime:  # what runc says last
                return 'level=warning msg="unable to get oom kill count"'
            return 'setting "RLIMIT_NOFILE" limit to soft=1048576: operation not permitted'

    (tmp_path / "runc").touch(0o755)
    memory = Memory(tmp_path / "answers.json", {})
    with pytest.raises(EngineUnusable) as caught:
        isolation.choose(cast("Probe", Limited()), "auto", memory, rootless=False)
    number = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    hard = 1048576 if number == resource.RLIM_INFINITY else number
    assert str(caught.value.hint).endswith(f', "nproc={hard}:{hard}"]')
