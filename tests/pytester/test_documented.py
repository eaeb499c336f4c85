"""Every option, marker argument, fixture and hook is documented."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pytest_zlayer import hookspecs, plugin
from pytest_zlayer.inputs.declarations import argument_names
from pytest_zlayer.inputs.options import OPTIONS
from pytest_zlayer.plugin.markers import marker_lines
from pytest_zlayer.plugin.service_marks import ARGUMENTS as SERVICE_ARGUMENTS
from pytest_zlayer.services import ready

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_zlayer_")]


def _rows(page: str) -> list[str]:
    return [line for line in (DOCS / page).read_text().splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_a_row_with_its_names_and_its_default(option):
    [row] = [
        one
        for one in _rows("options.md")
        if one.startswith(f"| `{option.flag}") and one[len(f"| `{option.flag}")] in "` ["
    ]
    assert f"| `{option.ini}` | `{option.variable}` |" in row
    default = row.split("|")[-3].strip()
    if isinstance(option.default, (int, str)) and not isinstance(option.default, bool):
        shown = {"cache-max-size": "10GiB"}.get(option.name, str(option.default))
        assert default == shown


def test_no_row_tells_of_an_option_that_is_not_there():
    shown = [row for row in _rows("options.md") if row.startswith("| `--")]
    assert len(shown) == len(OPTIONS)


def test_every_argument_of_the_marker_has_a_row():
    assert {row.split("`")[1] for row in _rows("markers.md")} == set(argument_names())


def test_pytest_lists_every_argument_of_the_marker():
    signature = marker_lines("image")[0].partition("(")[2].partition("): ")[0]
    listed = {part.split("=")[0] for part in signature.split(", ")} - {"*"}
    assert listed == set(argument_names()) - {"buildargs"}


def test_every_fixture_has_a_row():
    fixtures = {name for name in plugin.__all__ if name.startswith("zlayer_")}
    rows = [row for row in _rows("fixtures.md") if row.startswith("| `zlayer_")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(fixtures)


def test_every_argument_of_a_service_has_a_row():
    page = (DOCS / "services.md").read_text()
    rows = page.partition("| argument | meaning |")[2].partition("\n\n")[0].splitlines()
    named = {name for row in rows[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(SERVICE_ARGUMENTS)


def test_every_condition_has_a_row():
    page = (DOCS / "services.md").read_text()
    assert set(re.findall(r"^\| `ready\.(\w+)\(", page, re.MULTILINE)) == set(ready.__all__)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_section_with_its_arguments(name):
    text = (DOCS / "hooks.md").read_text()
    arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
    assert f"\n## {name}\n\n`{name}({arguments})" in text
