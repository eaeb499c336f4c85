"""Programs of which architectures can be executed."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pytest_zlayer.builder.execute.emulation import can_execute


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [
        ("x86_64", "amd64"),
        ("x86_64", "386"),
        ("x86_64", ""),
        ("aarch64", "arm64"),
        ("aarch64", "arm"),
        ("riscv64", "riscv64"),
    ],
)
def test_the_machine_itself_executes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, architecture: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert can_execute(architecture, binfmt=tmp_path)


@pytest.mark.parametrize(
    ("machine", "architecture", "name"),
    [
        ("aarch64", "amd64", "qemu-x86_64"),
        ("x86_64", "arm64", "qemu-aarch64"),
        ("aarch64", "386", "qemu-i386"),
        ("x86_64", "loong64", "qemu-loongarch64"),
        ("x86_64", "s390x", "qemu-s390x"),
        ("x86_64", "arm", "qemu-arm"),
    ],
)
def test_others_need_an_emulator_that_the_kernel_knows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    architecture: str,
    name: str,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert not can_execute(architecture, binfmt=tmp_path)
    (tmp_path / name).touch()
    assert can_execute(architecture, binfmt=tmp_path)
