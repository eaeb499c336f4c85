"""What is in the images, read without running them."""

from __future__ import annotations

import hashlib

import pytest

from pytest_zlayer import Image

pytestmark = pytest.mark.image("..", build_args={"PLACES": "oslo quito tromso"})


def rows(image: Image, place: str) -> dict[str, list[str]]:
    home = image.config.env["ALMANAC_HOME"]
    lines = image.path(f"{home}/days/{place}.csv").read_text().splitlines()
    return {line.partition(",")[0]: line.split(",") for line in lines[1:]}


def test_the_configuration_is_that_of_a_service(zlayer_image: Image) -> None:
    config = zlayer_image.config
    assert config.user == "almanac"
    assert config.workdir == "/srv/almanac"
    assert list(config.exposed_ports) == ["8080/tcp"]
    assert list(config.entrypoint or ()) == ["/bin/httpd", "-f", "-h", "/srv/almanac"]
    assert config.labels["org.opencontainers.image.description"] == "Sunrise and sunset in 2026"
    assert config.healthcheck is not None


def test_only_the_asked_places_are_there(zlayer_image: Image) -> None:
    tables = zlayer_image.path("/srv/almanac/days").iterdir()
    assert sorted(table.name for table in tables) == ["oslo.csv", "quito.csv", "tromso.csv"]


def test_tables_belong_to_the_service_and_cannot_be_changed_by_others(zlayer_image: Image) -> None:
    status = zlayer_image.path("/srv/almanac/days/oslo.csv").stat()
    assert (status.uid, status.gid, status.mode & 0o777) == (1000, 1000, 0o644)


def test_the_longest_day_of_oslo_is_right_to_the_minute_or_two(zlayer_image: Image) -> None:
    _, sunrise, sunset, daylight = rows(zlayer_image, "oslo")["2026-06-21"]
    assert (sunrise, sunset) == ("01:53", "20:44")
    assert int(daylight) == pytest.approx(18 * 60 + 50, abs=2)


def test_the_midnight_sun_has_no_sunrise(zlayer_image: Image) -> None:
    assert rows(zlayer_image, "tromso")["2026-06-21"] == ["2026-06-21", "", "", "1440"]


def test_every_file_has_the_checksum_of_its_manifest(zlayer_image: Image) -> None:
    home = zlayer_image.path("/srv/almanac")
    for line in (home / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split("  ")
        assert hashlib.sha256((home / name).read_bytes()).hexdigest() == checksum


def test_nothing_of_the_builder_is_in_the_runtime_image(zlayer_image: Image) -> None:
    assert not zlayer_image.path("/almanac").exists()


@pytest.mark.image("..", target="places")
def test_drafts_are_kept_out_of_the_build_context(zlayer_image: Image) -> None:
    names = [path.name for path in zlayer_image.path("/places").iterdir()]
    assert sorted(names) == ["log", "places.tsv"]
