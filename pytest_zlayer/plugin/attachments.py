"""The log of a failed build, attached to the test's report where a plugin has room for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin.failures import cause_of

_NAME = "zlayer build log"
_EXTRAS = "extras"  # where pytest-html looks
_MOST = 256 * 1024  # bytes, the last ones


def attach(
    config: pytest.Config,
    call: pytest.CallInfo[Any],
    report: pytest.TestReport,
    clean: Callable[[str], str],
) -> None:
    """Give pytest-html and allure the log of the build that has failed."""
    html = config.pluginmanager.has_plugin("html")
    allure = _allure(config)
    if call.excinfo is None or not (html or allure):
        return
    error = cause_of(call.excinfo.value)
    path = getattr(error, "log_path", None)
    if not isinstance(error, ZlayerError) or not path:
        return
    text = clean(_last(Path(path)))
    if text and html:
        # What pytest_html.extras.text() makes; pytest-xdist sends it on as plain data.
        setattr(report, _EXTRAS, [*getattr(report, _EXTRAS, []), _extra(text)])
    if text and allure is not None:
        allure.attach(text, _NAME, allure.attachment_type.TEXT)


def _allure(config: pytest.Config) -> Any:
    return sys.modules.get("allure") if config.pluginmanager.has_plugin("allure_listener") else None


def _extra(text: str) -> dict[str, Any]:
    return {
        "name": _NAME,
        "format_type": "text",
        "content": text,
        "mime_type": "text/plain",
        "extension": "txt",
    }


def _last(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _MOST, 0))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
