"""What a RUN starts and leaves running is gone when the RUN is, whatever it does against that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_zlayer.builder.execute.build import BuildTimeout
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace, executing, processes
from tests.waiting import wait_until

BODIES = {
    "background": "{nap} &",
    "daemon": "setsid {nap} < /dev/null > /dev/null 2>&1 &",
    "deaf": "setsid sh -c 'trap \"\" TERM INT HUP; {nap}; {nap}' &",
    "twice": "(setsid sh -c '{nap} & {nap}' &) &",
}


def until_they_sleep(workspace: Workspace, number: int) -> str:
    """Commands that end when so many processes sleep."""
    count = f"ps -o args | grep -cx '{workspace.nap}'"
    return f"until test $({count}) -eq {number}; do sleep 0.1; done;"


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_daemons_are_gone_before_the_commit(workspace: Workspace, isolation: str) -> None:
    """They write until they are killed; the layer must not change under the commit."""
    writes = "setsid sh -c 'while :; do echo x >> /busy; done' < /dev/null > /dev/null 2>&1 &"
    daemons = " ".join(body.format(nap=workspace.nap) for body in BODIES.values())
    begun = f"{until_they_sleep(workspace, 5)} until test -s /busy; do sleep 0.1; done"
    text = f"FROM {BUSYBOX}\nRUN {writes} {daemons} {begun}\nRUN wc -c /busy && wc -c /busy\n"
    with building(workspace.storage, isolation=isolation) as builds:
        builds.build(text)
        assert processes(workspace.nap, "/busybox") == []
        lines = [event.text for event in builds.events if type(event).__name__ == "OutputLine"]
    assert lines[0] == lines[1]


def test_layer_of_a_run_with_daemons_is_that_of_one_without(workspace: Workspace) -> None:
    epoch = {"SOURCE_DATE_EPOCH": "1"}
    with building(workspace.storage) as builds:
        plain = builds.build(f"FROM {BUSYBOX}\nRUN echo 1 > /one\n", build_args=epoch)
        begun = until_they_sleep(workspace, 1)
        text = f"FROM {BUSYBOX}\nRUN echo 1 > /one; setsid {workspace.nap} & {begun}\n"
        daemon = builds.build(text, build_args=epoch)
        assert daemon.layers[-1] == plain.layers[-1]


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
@pytest.mark.parametrize("body", [*BODIES, "stubborn"])
def test_timeout_of_a_step_ends_the_whole_tree(
    workspace: Workspace, isolation: str, body: str, time_is_over: Callable[..., None]
) -> None:
    sleeping = until_they_sleep(workspace, 2 if body == "twice" else 1)
    script = (
        "trap '' TERM INT HUP; echo begun; while :; do {nap}; done"
        if body == "stubborn"
        else f"{BODIES[body]} {sleeping} echo begun; {{nap}}"
    ).format(nap=workspace.nap)
    text = f"FROM {BUSYBOX}\nRUN {script}\n"
    options = {"isolation": isolation, "step_timeout": 600, "on_line": time_is_over}
    with building(workspace.storage, **options) as builds:
        with pytest.raises(BuildError) as caught:
            builds.build(text, retries=2)
        assert processes(workspace.nap, "/busybox") == []
    assert "it was stopped after " in caught.value.message
    assert caught.value.message.endswith(" s: the timeout of a step is 600 s")
    assert (caught.value.attempts, caught.value.tail) == (1, ("begun",))


def test_timeout_of_a_build_ends_what_waits_for_others_too(workspace: Workspace) -> None:
    text = f"FROM {BUSYBOX}\nRUN {workspace.nap}\n"
    with building(workspace.storage) as one, building(workspace.storage) as other:
        one.session.prebuild([ImageSpec(text=text)])
        wait_until(lambda: executing(workspace.nap), "the RUN")
        with pytest.raises(BuildTimeout) as caught:
            other.build(text, timeout=1.0)
    assert str(caught.value) == (
        "building inline took longer than 1 s\n"
        "hint: raise timeout= on the declaration or --zlayer-timeout"
    )
