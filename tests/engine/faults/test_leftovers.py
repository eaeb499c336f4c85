"""What killed processes leave beside the store: the next session removes it, whatever it is."""

from __future__ import annotations

import os
import signal

import pytest

from pytest_zlayer.builder.cache.layer_cache import REPOSITORY
from pytest_zlayer.builder.session.prune import prune
from tests.engine.building import building, make_options
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.ground import BUILT, Ground, our_files, send, wait_until


def killed(ground: Ground, *args: str) -> None:
    """A run that is killed in its second RUN, once the layer of the first is in the store."""
    ground.project(
        test_it="import pytest\n"
        f"one = 'FROM {BUSYBOX}\\nRUN echo first > /first\\n'\n"
        "@pytest.mark.image(text=one, name='a')\n"
        f"@pytest.mark.image(text=one + 'RUN {ground.nap}', name='b')\n"
        "def test_it(zlayer_images):\n    pass\n"
    )
    before = cached(ground)
    run = ground.start(*args)
    run.wait_inside(ground.nap)
    wait_until(lambda: cached(ground) > before, "the first layer")
    send(signal.SIGKILL, [*run.agents(), run.process.pid])
    run.wait()
    ground.storage.sweep()


def cached(ground: Ground) -> set[str]:
    return {name for name in ground.storage.image_names() if name.startswith(REPOSITORY)}


def test_layers_that_were_to_go_with_a_killed_session_go_with_the_next(ground: Ground) -> None:
    before = cached(ground)
    killed(ground, "--zlayer-cache=session")
    assert cached(ground) > before
    with building(ground.storage) as builds:
        builds.build(BUILT)
    assert cached(ground) == before


def test_sessions_note_no_layers_that_stay(ground: Ground) -> None:
    killed(ground)
    assert [one for one in our_files(ground.storage) if "added-" in one] == []
    ground.sweep()


def test_nothing_at_all_is_left_after_prune_all(ground: Ground) -> None:
    killed(ground)
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c touch /c/f\n"
    with building(ground.storage) as builds:
        builds.build(text)
    prune(make_options(ground.storage), everything=True)
    left = {*our_files(ground.storage), *cached(ground)}
    assert left == {"answers.json", "manifests.lock", "names.lock", "pulls.lock"}
    with building(ground.storage) as builds:  # what was there before
        builds.build(BUILT)


@pytest.mark.parametrize(
    "name",
    [
        "cache/locks/0123.lock", "cache/locks/0123.queue", "cache/leases/0123456789ab-01234567",
        "cache/added-0123456789ab", "cache/used/0123", "cache/mounts/0123.used",
        "cache/mounts/0123.lock", "cache/mounts/0123.making", "answers.json.4000000",
        "sessions/0123456789ab-main-01234567.json.4000000.new",
    ],
)  # fmt: skip
def test_file_that_nobody_needs_goes(ground: Ground, name: str) -> None:
    path = ground.storage.root / "zlayer" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (0, 0))
    ground.sweep()
    assert not path.exists()
