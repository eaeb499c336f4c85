"""A shell in what was kept of a session that is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.builder.execute.again import Debugging
from pytest_zlayer.builder.image.kept import KEPT_CONTAINER, KEPT_REPOSITORY, kept_log
from pytest_zlayer.builder.image.shell import find_shell
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import UsageError


def enter_kept(resources: SessionResources, name: str, how: Debugging) -> int:
    """Open a shell in a kept container, or in a new one of a kept image; its exit status.

    Args:
        resources: engine and store.
        name: what ``--zlayer-keep`` has called it; of an image the tag is enough.
        how: where input and output go.

    Raises:
        UsageError: nothing of this name was kept, or there is no shell in it.
    """
    engine = resources.engine
    if name.startswith(KEPT_CONTAINER) and name in (one.name for one in engine.containers()):
        log = kept_log(engine, name)
        if log.exists():
            how.say(f"its log: {log}")
        return _shell(resources, name, ImageConfig(), how)
    image = name if ":" in name else f"{KEPT_REPOSITORY}:{name}"
    found = next((one.id for one in engine.images.all() if image in one.names), None)
    if found is None or not image.startswith(KEPT_REPOSITORY):
        raise UsageError(
            f"there is no failed build and nothing kept that is called {name!r}",
            hint="`pytest-zlayer ps` lists what was kept; failed builds are remembered for a week",
        )
    with _container(resources, found) as container:
        return _shell(resources, container, resources.store.facts(found).config, how)


@contextmanager
def _container(resources: SessionResources, image_id: str) -> Iterator[str]:
    engine = resources.engine
    container = engine.from_image(resources.store.runnable_image(image_id))
    try:
        yield container
    finally:
        engine.remove_containers(container)


def _shell(resources: SessionResources, container: str, config: ImageConfig, how: Debugging) -> int:
    engine = resources.engine
    shell = find_shell(engine.mount(container), config.shell, container)
    request = RunRequest(
        container,
        [shell],
        env=config.env,
        user=config.user,
        workdir=config.workdir,
    )
    return how.run(engine, request, resources.options.environment)
