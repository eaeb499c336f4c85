"""Stages, build arguments, and builds that are meant to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from pytest_zlayer import BuildError, Image


@pytest.mark.image("..", target="builder", matrix={"YEAR": ["2026", "2028"]})
def test_a_table_has_one_line_for_every_day_of_its_year(
    zlayer_image: Image, zlayer_matrix: Mapping[str, str]
) -> None:
    lines = zlayer_image.path("/almanac/site/days/nairobi.csv").read_text().splitlines()
    days = {"2026": 365, "2028": 366}[zlayer_matrix["YEAR"]]
    assert len(lines) == days + 1


@pytest.mark.image("..", target="test")
def test_the_test_stage_passes(zlayer_image: Image) -> None:
    report = zlayer_image.path("/checks/report").read_text()
    assert report == "checked 8 tables of 365 days\n"


def test_the_test_stage_refuses_an_almanac_without_places(
    zlayer_build: Callable[..., Image],
) -> None:
    with pytest.raises(BuildError) as failure:
        zlayer_build("..", target="test", build_args={"PLACES": "atlantis"})
    assert failure.value.exit_code == 1
    assert "check failed: there are no tables in /almanac/site/days" in failure.value.tail[-1]
