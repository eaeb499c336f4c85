"""What killed processes leave beside the store: the next session removes it, whatever it is."""

from __future__ import annotations

import os
import signal

import pytest

from pytest_zlayer.builder.cache.entries import REPOSITORY
from pytest_zlayer.builder.session.prune import prune
from pytest_zlayer.events import Waiting
from pytest_zlayer.report.text import ProgressLines
from tests.engine.building import building, make_options
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import BUILT, Workspace, our_files, send
from tests.waiting import wait_until


def killed(workspace: Workspace, *args: str) -> None:
    """A run that is killed in its second RUN, once the layer of the first is in the store.

    Nobody has removed yet what it has left.
    """
    workspace.project(
        test_it="import pytest\n"
        f"one = 'FROM {BUSYBOX}\\nRUN echo first > /first\\n'\n"
        "@pytest.mark.image(text=one, name='a')\n"
        f"@pytest.mark.image(text=one + 'RUN {workspace.nap}', name='b')\n"
        "def test_it(zlayer_images):\n    pass\n"
    )
    before = cached(workspace)
    run = workspace.start(*args)
    run.wait_inside(workspace.nap)
    wait_until(lambda: cached(workspace) > before, "the first layer")
    send(signal.SIGSTOP, [run.process.pid])  # it is not to start another agent
    send(signal.SIGKILL, [*run.agents(), run.process.pid])
    run.wait()
    workspace.storage.wait_until_dead()


def cached(workspace: Workspace) -> set[str]:
    return {name for name in workspace.storage.image_names() if name.startswith(REPOSITORY)}


def test_layers_that_were_to_go_with_a_killed_session_go_with_the_next(
    workspace: Workspace,
) -> None:
    before = cached(workspace)
    killed(workspace, "--zlayer-cache=session")
    workspace.storage.sweep()
    assert cached(workspace) > before
    with building(workspace.storage) as builds:
        builds.build(BUILT)
    assert cached(workspace) == before


def test_sessions_note_no_layers_that_stay(workspace: Workspace) -> None:
    killed(workspace)
    workspace.storage.sweep()
    assert [one for one in our_files(workspace.storage) if "added-" in one] == []
    workspace.sweep()


def test_nothing_at_all_is_left_after_prune_all(workspace: Workspace) -> None:
    killed(workspace)
    workspace.storage.sweep()
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c touch /c/f\n"
    with building(workspace.storage) as builds:
        builds.build(text)
    prune(make_options(workspace.storage), everything=True)
    assert (our_files(workspace.storage), cached(workspace)) == ([], set())
    with building(workspace.storage) as builds:  # what was there before
        builds.build(BUILT)


def test_note_of_a_layer_that_is_not_stored_goes_when_nobody_may_be_storing_it(
    workspace: Workspace,
) -> None:
    note = workspace.storage.root / "zlayer" / "cache" / "used" / "0123"
    note.parent.mkdir(parents=True, exist_ok=True)
    with building(workspace.storage) as builds:
        builds.build(BUILT)
        note.touch()
        prune(make_options(workspace.storage))
        assert note.exists()
    note.touch()
    prune(make_options(workspace.storage))
    assert not note.exists()


def test_a_session_does_not_wait_for_ever_for_a_dead_one_to_be_swept_and_says_so(
    workspace: Workspace,
) -> None:
    killed(workspace)
    storage = workspace.storage
    slow = storage.tmpdir.parent / "slow-buildah"
    on = storage.tmpdir.parent / "go-on"
    wait = f"while [ ! -e {on} ]; do sleep 0.1; done"
    script = f'case "$*" in *" rm "*) {wait};; esac\nexec {storage.binary} "$@"\n'
    slow.write_text(f"#!/bin/sh\n{script}", encoding="ascii")
    slow.chmod(0o755)
    with building(storage, buildah=str(slow)) as builds:
        _ = builds.session.engine
    on.touch()
    [said] = [one for one in builds.events if isinstance(one, Waiting)]
    assert ProgressLines("short", prefix="").lines(said) == [
        "waiting for the removal of what killed runs have left"
    ]
    workspace.sweep()


@pytest.mark.parametrize(
    "name",
    [
        "cache/locks/0123.lock", "cache/locks/0123.queue", "cache/leases/0123456789ab-01234567",
        "cache/added-0123456789ab", "cache/used/0123", "cache/mounts/0123.used",
        "cache/mounts/0123.lock", "cache/mounts/0123.making", "answers.json.4000000",
        "sessions/0123456789ab-main-01234567.json.4000000.new",
    ],
)  # fmt: skip
def test_file_that_nobody_needs_goes(workspace: Workspace, name: str) -> None:
    path = workspace.storage.root / "zlayer" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (0, 0))
    workspace.sweep()
    assert not path.exists()
