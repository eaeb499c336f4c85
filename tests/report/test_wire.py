"""Events between processes: what is sent arrives as it was."""

from __future__ import annotations

import pytest

from pytest_zlayer import events
from pytest_zlayer.report.wire import decode, encode

SHARED = {"build_id": "1", "image": "api"}
STAGE = events.StageInfo(index=0, name="a", base="scratch", line=1, needs=(0, 2), needed=True)
LAYER = events.LayerInfo(digest="sha256:0", size=3, created_by="RUN make")


@pytest.mark.parametrize(
    "event",
    [
        events.BuildStarted(**SHARED, stages=("a", "b"), graph=(STAGE,)),
        events.Waiting(**SHARED, what="stage a", reason="stage", stage="b", number=2),
        events.ImageContents(**SHARED, image_id="f", layers=(LAYER,)),
        events.OutputLine(**SHARED, stage="a", number=1, stream="stdout", text="é\n\x1b\udc80"),
    ],
)
def test_an_event_arrives_as_it_was(event):
    line = encode(event, at=1.5)
    assert line.count(b"\n") == 1
    assert decode(line) == (event, {"at": 1.5})


@pytest.mark.parametrize("line", [b"", b"[]", b'{"event": "Nothing"}', b'{"event": "Pulling"}'])
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match=r"no event|Expecting"):
        decode(line)
