"""What each flavour of the base image has to have."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_zlayer import Image

pytestmark = pytest.mark.image("base", matrix={"FLAVOUR": ["plain", "small", "debug"]})


def test_it_says_which_flavour_it_is(zlayer_image: Image, zlayer_matrix: Mapping[str, str]) -> None:
    flavour = zlayer_matrix["FLAVOUR"]
    zlayer_image.assert_label("flavour", flavour)
    zlayer_image.assert_file("/etc/os-release", contains=f"VARIANT_ID={flavour}\n", mode=0o644)


def test_its_packages_can_be_read(zlayer_image: Image) -> None:
    zlayer_image.assert_package("little-base", "1.0-r0")
    assert {one.kind for one in zlayer_image.packages.values()} == {"apk"}


def test_it_stays_small(zlayer_image: Image) -> None:
    zlayer_image.assert_max_size("10MB")
    zlayer_image.assert_max_layers(6)
    zlayer_image.assert_max_wasted("1kB")
