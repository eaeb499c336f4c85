"""``pytest_zlayer.build``: an image without pytest, from a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.engine.conftest import Storage

PROGRAM = """\
{first}
from pytest_zlayer import build
image = build(None, text="FROM scratch\\nCOPY <<file /file\\nhello\\nfile\\n")
print(image.path("/file").read_text(), end="")
"""


@pytest.mark.parametrize(
    "first", ["", "import pytest_zlayer.builder.session.build_session"], ids=["", "imported"]
)
def test_build_gives_an_image_and_leaves_nothing(own_storage: Storage, first: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        check=True,
        capture_output=True,
        text=True,
        env={
            **own_storage.environment,
            "ZLAYER_BUILDAH": own_storage.binary,
            "ZLAYER_ROOT": str(own_storage.root),
            "ZLAYER_RUNROOT": str(own_storage.runroot),
            "ZLAYER_CACHE": "session",
        },
    )

    assert done.stdout == "hello\n"
    assert own_storage.image_names() == []
    assert not any(own_storage.leftovers().values())
