"""The log of a failed build, attached to the test's report where a plugin has room for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin.failures import SECTION, build_details, cause_of

_NAMES = {"details": SECTION, "log": f"{SECTION} log"}
_EXTRAS = "extras"  # where pytest-html looks
_MOST = 256 * 1024  # bytes, the last ones


def attach(
    config: pytest.Config,
    call: pytest.CallInfo[Any],
    report: pytest.TestReport,
    clean: Callable[[str], str],
) -> None:
    """Give pytest-html and allure the log of the build that has failed, allure its section too."""
    html = config.pluginmanager.has_plugin("html")
    allure = _allure(config)
    if not (html or allure):
        return
    found = build_attachments(call, clean)
    if html and "log" in found:
        # What pytest_html.extras.text() makes; pytest-xdist sends it on as plain data.
        setattr(report, _EXTRAS, [*getattr(report, _EXTRAS, []), _extra(found["log"])])
    if allure is not None:
        for name, text in found.items():
            allure.attach(text, _NAMES[name], allure.attachment_type.TEXT)


def build_attachments(call: pytest.CallInfo[Any], clean: Callable[[str], str]) -> dict[str, str]:
    """Texts about the failed build that made a phase of a test fail; none for other failures.

    ``details`` is the section of the report, ``log`` the end of what the build has written.
    """
    if call.excinfo is None:
        return {}
    error = cause_of(call.excinfo.value)
    details = build_details(error) if isinstance(error, ZlayerError) else None
    if details is None:
        return {}
    log = _last(Path(path)) if (path := getattr(error, "log_path", None)) else ""
    return {"details": clean(details), **({"log": clean(log)} if log else {})}


def _allure(config: pytest.Config) -> Any:
    return sys.modules.get("allure") if config.pluginmanager.has_plugin("allure_listener") else None


def _extra(text: str) -> dict[str, Any]:
    return {
        "name": _NAMES["log"],
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
