"""What podman has said of a failure."""

from __future__ import annotations

from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.services.podman.commands import reason_of


def test_the_lines_after_an_error_are_part_of_it():
    said = (
        "level=warning msg=...",
        "Error: pasta failed with exit code 1:",
        "Failed to open() /dev/net/tun: Permission denied",
        "Failed to set up tap device in namespace",
        "",
    )
    assert reason_of(Completed(("podman", "run"), 126, (), said, 0.1)) == (
        "pasta failed with exit code 1: Failed to open() /dev/net/tun: Permission denied; "
        "Failed to set up tap device in namespace"
    )
