"""The code blocks of the documentation do what the pages say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.docs.conftest import DOCS
from tests.engine.docs.pages import Page

WITH_BLOCKS = (path for path in DOCS.rglob("*.md") if "```" in path.read_text("utf-8"))
FOUND = {path.relative_to(DOCS).as_posix() for path in WITH_BLOCKS}
PAGES = ["../README.md", *sorted(FOUND)]
pytestmark = pytest.mark.usefixtures("all_plugins")


@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_of_a_page_run(name: str, open_page: Callable[[str], Page]) -> None:
    open_page(name).run()
