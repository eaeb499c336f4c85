"""What stands on the base image works, and changes only what it means to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_zlayer import Image

INSTALL = """\
RUN printf '#!/bin/sh\\necho tool\\n' > /bin/tool && chmod 755 /bin/tool
USER app
"""


@pytest.mark.image("base", name="base")
@pytest.mark.image(text=INSTALL, base="base", name="tool")
def test_an_installer_adds_its_tool_and_nothing_else(zlayer_images: Mapping[str, Image]) -> None:
    base, tool = zlayer_images["base"], zlayer_images["tool"]
    tool.assert_runs(["tool"], stdout="tool\n")
    tool.assert_user("app")
    diff = base.diff(tool)
    assert [entry.path for entry in diff.added] == ["/bin/tool"]
    assert not diff.removed
    assert not diff.changed
    assert set(diff.config) == {"user"}


@pytest.mark.image(text="FROM base\nRUN rm /etc/os-release", base="base", name="bare")
@pytest.mark.image("base", name="base")
def test_what_is_removed_above_is_wasted_below(zlayer_images: Mapping[str, Image]) -> None:
    bare = zlayer_images["bare"]
    bare.assert_no_file("/etc/os-release")
    assert [one.path for one in bare.wasted] == ["/etc/os-release"]
