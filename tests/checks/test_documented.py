"""The table of failures in docs/checks.md is what really is said."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_zlayer import RunResult
from pytest_zlayer.checks.assertions import ImageAssertions
from pytest_zlayer.checks.waste import WastedFile
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Words
from tests.checks.subject import GROUPS, USERS, HistoryEntry, Layer, failure, make

DOCUMENT = Path(__file__).parents[2] / "docs" / "checks.md"
CALLS = """\
image.assert_file("/etc/ap.conf")
image.assert_file("/etc/app.conf", mode=0o644)
image.assert_file("/etc/app.conf", owner="root")
image.assert_file("/etc/app.conf", contains="port = 8080")
image.assert_file("/etc/app.conf", equals="port = 81\\n")
image.assert_directory("/etc/app.conf")
image.assert_link("/etc/link", "/etc/app.conf")
image.assert_no_file("/etc/app.conf")
image.assert_runs(["id", "-un"], stdout="root\\n")
image.assert_env(PROT="80")
image.assert_label("vendor", "ACME")
image.assert_user("root")
image.assert_workdir("/")
image.assert_entrypoint(["/bin/app"])
image.assert_cmd(["serve"])
image.assert_exposes(443)
image.assert_volumes("/data")
image.assert_healthcheck(interval=10)
image.assert_package("musll")
image.assert_package("musl", "1.3")
image.assert_max_size("5MB")
image.assert_max_layers(1)
image.assert_max_wasted("1MB")
"""
CONFIG = ImageConfig(
    env={"PORT": "80", "PATH": "/bin"},
    labels={"vendor": "Acme Inc."},
    user="app",
    workdir="/srv",
    cmd=Words(["/bin/sh", "-c", "serve"]),
    exposed_ports=("80/tcp",),
    healthcheck=HealthProbe(test=("CMD", "check"), interval=30 * 10**9),
)


def said(tmp_path: Path, call: str) -> str:
    """What a call says when it fails."""
    files = {
        "etc/passwd": USERS,
        "etc/group": GROUPS,
        "etc/app.conf": "port = 80\n",
        "lib/apk/db/installed": "P:musl\nV:1.2\nA:x86_64\n\n",
    }
    image = make(
        tmp_path,
        files,
        config=CONFIG,
        layers=(Layer(4_000_000), Layer(2_500_000)),
        history=(HistoryEntry("FROM alpine"), HistoryEntry("RUN make")),
        wasted=(WastedFile("/var/cache/index", 2_000_000, 1),),
        ended=RunResult(0, "app\n", "", 0.1),
    )
    (tmp_path / "etc/link").symlink_to("app.conf")
    (tmp_path / "etc/app.conf").chmod(0o600)
    os.chown(tmp_path / "etc/app.conf", 1000, 1000)
    method, arguments = re.fullmatch(r"image\.(\w+)\((.*)\)", call).groups()
    return failure(eval, f"method({arguments})", {"method": getattr(image, method)})


def row(call: str, text: str) -> str:
    """A row of the table."""
    lines = "<br>".join(
        line.replace("|", "\\|").replace("  ", "&emsp;") for line in text.split("\n")
    )
    return f"| `{call}` | {lines} |"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("call", CALLS.splitlines())
def test_the_table_says_what_the_assertion_says(tmp_path: Path, call: str) -> None:
    assert row(call, said(tmp_path, call)) in DOCUMENT.read_text("utf-8")


def test_every_assertion_is_in_the_table() -> None:
    named = set(re.findall(r"image\.(assert_\w+)", CALLS))
    assert {name for name in dir(ImageAssertions) if name.startswith("assert_")} == named
