"""What is tried to isolate a RUN, and with what program."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands.isolation import Isolation, _exit_zero, candidates, contain


def test_candidates_come_strongest_first(tmp_path: Path) -> None:
    for name in ("crun", "runc", "unshare"):
        (tmp_path / name).write_text("", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    found = list(candidates("auto", str(tmp_path), rootless=False))
    assert found == [
        Isolation("oci", f"{tmp_path}/crun"),
        Isolation("oci", f"{tmp_path}/runc"),
        Isolation("rootless", f"{tmp_path}/crun"),
        Isolation("rootless", f"{tmp_path}/runc"),
        Isolation("chroot", contained=True),
        Isolation("chroot"),
    ]


def test_isolation_asked_for_is_the_only_candidate(tmp_path: Path) -> None:
    assert list(candidates("chroot", str(tmp_path), rootless=True)) == [Isolation("chroot")]


def test_program_of_a_few_bytes_ends_with_zero(tmp_path: Path) -> None:
    content = _exit_zero(platform.machine())
    if content is None:
        pytest.skip("no program for this machine")
    file = tmp_path / "exit-zero"
    file.write_bytes(content)
    file.chmod(0o755)
    assert subprocess.run([str(file)], check=False).returncode == 0


def test_no_program_for_an_unknown_machine() -> None:
    assert _exit_zero("vax") is None


def test_isolation_in_words() -> None:
    assert str(Isolation("oci", "/usr/sbin/runc")) == "oci with runc"
    assert str(Isolation("chroot", contained=True)) == "chroot"


def test_contained_run_without_a_network() -> None:
    assert contain(network=False) == [*contain(), "--net"]
