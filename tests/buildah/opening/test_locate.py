"""Finding buildah, and the advice where it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineMissing
from pytest_zlayer.buildah.opening.locate import install_hint, locate


def program(directory: Path, name: str = "buildah") -> Path:
    directory.mkdir(exist_ok=True)
    file = directory / name
    file.write_text("#!/bin/sh\n", encoding="ascii")
    file.chmod(0o755)
    return file


def test_first_on_the_path_is_taken(tmp_path: Path) -> None:
    first, second = program(tmp_path / "a"), program(tmp_path / "b")
    assert locate(None, {"PATH": f"{first.parent}:{second.parent}"}) == first


def test_named_one_is_taken(tmp_path: Path) -> None:
    assert locate(str(program(tmp_path, "other")), {"PATH": ""}) == tmp_path / "other"


def test_named_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing) as caught:
        locate("/no/buildah", {"PATH": str(tmp_path)})
    assert str(caught.value) == (
        "there is no program '/no/buildah' to use as buildah\n"
        "hint: check --zlayer-buildah (ZLAYER_BUILDAH, zlayer_buildah)"
    )


def test_nothing_installed(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=ubuntu\nID_LIKE=debian\nNAME="x"\n', encoding="ascii")
    with pytest.raises(EngineMissing) as caught:
        locate(None, {"PATH": str(tmp_path)}, release)
    assert str(caught.value) == (
        "buildah is not installed\nhint: install it with: apt-get install buildah"
    )


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian", "apt-get install buildah"),
        ('ID="linuxmint"\nID_LIKE="ubuntu debian"', "apt-get install buildah"),
        ("ID=fedora", "dnf install buildah"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf install buildah"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', "zypper install buildah"),
        ("ID=arch", "pacman -S buildah"),
        ("ID=alpine", "apk add buildah"),
    ],
)
def test_package_manager_of_this_system(tmp_path: Path, release: str, command: str) -> None:
    file = tmp_path / "os-release"
    file.write_text(release, encoding="ascii")
    assert install_hint(file) == f"install it with: {command}"


def test_unknown_system(tmp_path: Path) -> None:
    assert install_hint(tmp_path / "none") == (
        "install it with the package manager of this system, or see "
        "https://github.com/containers/buildah/blob/main/install.md"
    )
