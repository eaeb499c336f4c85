"""The junit report of a run with images, as a whole: golden/junit.xml."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

GOLDEN = Path(__file__).with_name("golden") / "junit.xml"
TESTS = r"""
    import pytest

    @pytest.mark.image(text="FROM scratch\nRUN flaky", name="api")
    def test_passes(zlayer_image):
        pass

    @pytest.mark.image("bad")
    def test_broken(zlayer_image):
        pass

    def test_without():
        pass
"""


def _normal(report: Path) -> str:
    """Without times, hosts, ids and the title of newer pytest, which differ from run to run."""
    tree = ET.parse(report)  # noqa: S314 (pytest has written it)
    tree.getroot().attrib.pop("name", None)
    for one in tree.iter():
        for name in {"time", "timestamp", "hostname"} & set(one.attrib):
            one.set(name, "…")
        if one.get("name") == "zlayer_image_id":
            one.set("value", re.sub(r"[0-9a-f]{64}", "ID", one.get("value", "")))
    ET.indent(tree)
    return ET.tostring(tree.getroot(), encoding="unicode") + "\n"


def test_the_junit_report_is_as_it_was(project):
    # After a change that is meant: GOLDEN=1 pytest tests/pytester/output/test_junit.py
    project.dockerfile("FROM scratch\nRUN false\n", "bad")
    project.pytester.makepyfile(test_it=TESTS)
    project.run("--junitxml=report.xml", "-p", "no:randomly")
    found = _normal(project.path / "report.xml")
    if os.environ.get("GOLDEN"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8")
