"""Machines that share layers through a directory."""

from __future__ import annotations

from pathlib import Path

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.remote.conftest import Machines, fetched, problems, sent

STEPS = f"""\
FROM {BUSYBOX} AS builder
RUN echo built > /artefact
FROM {BUSYBOX}
RUN echo one > /one
WORKDIR /work
COPY data .
RUN cat data > copy
COPY --from=builder /artefact /
LABEL a=b
"""


def test_another_machine_runs_no_step_and_gets_the_same_image(
    machine: Machines, place: DirectoryPlace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    with machine().session(cache_to=place) as first:
        image = first.build(STEPS, context)
        assert len(first.executed()) == 6
        history = image.history
    assert sum(one.layers for one in sent(first)) > 0
    with machine().session(cache_from=(place,)) as second:
        again = second.build(STEPS, context)
        assert second.executed() == []
        assert again.history == history
        assert again.id == image.id
        assert again.path("/work/copy").read_text() == "hello\n"
        assert again.run(["cat", "/one", "/artefact"]).stdout == "one\nbuilt\n"
    assert fetched(second)
    assert problems(first) == problems(second) == []


def test_only_the_steps_from_the_change_on_are_run(
    machine: Machines, place: DirectoryPlace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    with machine().session(cache_to=place) as first:
        first.build(STEPS, context)
    write_files(context, {"data": "changed\n"})
    with machine().session(cache_from=(place,)) as second:
        again = second.build(STEPS, context)
        assert second.executed() == [
            "COPY data .",
            "RUN cat data > copy",
            "COPY --from=builder /artefact /",
        ]
        assert again.path("/work/copy").read_text() == "changed\n"


def test_what_was_cached_before_is_sent_where_that_is_wanted(
    machine: Machines, place: DirectoryPlace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    one = machine()
    with one.session() as first:
        first.build(STEPS, context)
    with one.session(cache_to=place, send_cached=True) as again:
        again.build(STEPS, context)
        assert again.executed() == []
    assert sent(again)
    with machine().session(cache_from=(place,)) as second:
        second.build(STEPS, context)
        assert second.executed() == []
