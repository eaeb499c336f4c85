"""What a RUN starts and leaves running is gone when the RUN is, whatever it does against that."""

from __future__ import annotations

import time

import pytest

from pytest_zlayer.builder.execute.build import BuildTimeout
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace, processes

BODIES = {
    "background": "{nap} &",
    "daemon": "setsid {nap} < /dev/null > /dev/null 2>&1 &",
    "deaf": "setsid sh -c 'trap \"\" TERM INT HUP; {nap}; {nap}' &",
    "twice": "(setsid sh -c '{nap} & {nap}' &) &",
}


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_daemons_are_gone_before_the_commit(workspace: Workspace, isolation: str) -> None:
    """They write until they are killed; the layer must not change under the commit."""
    writes = "setsid sh -c 'while :; do echo x >> /busy; done' < /dev/null > /dev/null 2>&1 &"
    daemons = " ".join(body.format(nap=workspace.nap) for body in BODIES.values())
    text = f"FROM {BUSYBOX}\nRUN {writes} {daemons} sleep 0.2\nRUN wc -c /busy && wc -c /busy\n"
    with building(workspace.storage, isolation=isolation) as builds:
        builds.build(text)
        assert processes(workspace.nap, "/busybox") == []
        lines = [event.text for event in builds.events if type(event).__name__ == "OutputLine"]
    assert lines[0] == lines[1]


def test_layer_of_a_run_with_daemons_is_that_of_one_without(workspace: Workspace) -> None:
    epoch = {"SOURCE_DATE_EPOCH": "1"}
    with building(workspace.storage) as builds:
        plain = builds.build(f"FROM {BUSYBOX}\nRUN echo 1 > /one\n", build_args=epoch)
        text = f"FROM {BUSYBOX}\nRUN echo 1 > /one; setsid {workspace.nap} &\n"
        daemon = builds.build(text, build_args=epoch)
        assert daemon.layers[-1] == plain.layers[-1]


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
@pytest.mark.parametrize("body", [*BODIES, "stubborn"])
def test_timeout_of_a_step_ends_the_whole_tree(
    workspace: Workspace, isolation: str, body: str
) -> None:
    stubborn = "trap '' TERM INT HUP; while :; do {nap}; done"
    script = BODIES.get(body, stubborn).format(nap=workspace.nap)
    text = (
        f"FROM {BUSYBOX}\nRUN echo begun; {script} {'' if body == 'stubborn' else workspace.nap}\n"
    )
    with building(workspace.storage, isolation=isolation, step_timeout=4) as builds:
        _ = builds.session.engine.isolation
        since = time.monotonic()
        with pytest.raises(BuildError) as caught:
            builds.build(text, retries=2)
        assert time.monotonic() - since < 20
        assert processes(workspace.nap, "/busybox") == []
    assert "it was stopped after " in caught.value.message
    assert caught.value.message.endswith(": the timeout of a step is 4 s")
    assert (caught.value.attempts, caught.value.tail) == (1, ("begun",))


def test_timeout_of_a_build_ends_what_waits_for_others_too(workspace: Workspace) -> None:
    text = f"FROM {BUSYBOX}\nRUN {workspace.nap}\n"
    with building(workspace.storage) as one, building(workspace.storage) as other:
        one.session.prebuild([ImageSpec(text=text)])
        while not processes(workspace.nap, "/busybox"):
            time.sleep(0.05)
        with pytest.raises(BuildTimeout) as caught:
            other.build(text, timeout=1.0)
    assert str(caught.value) == (
        "building inline took longer than 1 s\n"
        "hint: raise timeout= on the declaration or --zlayer-timeout"
    )
