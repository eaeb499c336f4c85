"""The fixtures for images that run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_zlayer.inputs.declarations import argument_names, unknown_argument
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.fixtures import (
    DECLARATION,
    UNSET,
    Failing,
    ImageFixture,
    build_declared,
    folder_of,
    module_of_caller,
    positional,
)
from pytest_zlayer.plugin.markers import declared_images
from pytest_zlayer.plugin.service_marks import (
    ARGUMENTS,
    arguments_by_name,
    arguments_of_one,
    refuse_unknown,
)
from pytest_zlayer.plugin.state import State, state_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.inputs.declarations import Context
    from pytest_zlayer.plugin.fixtures import Scope
    from pytest_zlayer.services.networks import Network
    from pytest_zlayer.services.running import Service


@pytest.fixture
def zlayer_service(request: pytest.FixtureRequest, zlayer_image: Image) -> Iterator[Service]:
    """The image this test declares, running and ready; ``@pytest.mark.zlayer_service(...)``."""
    state = state_of(request.config)
    with Failing(state):
        arguments = arguments_of_one(request.node)
    with _serving(state, zlayer_image, arguments) as service:
        yield service


@pytest.fixture
def zlayer_services(
    request: pytest.FixtureRequest,
    zlayer_matrix: Mapping[str, str],  # noqa: ARG001 - a matrix parametrizes through it
) -> Iterator[Mapping[str, Service]]:
    """All services this test declares by its ``zlayer_service`` marks, on one private network."""
    state = state_of(request.config)
    found: dict[str, Service] = {}
    with ExitStack() as stack:
        with Failing(state):
            images = {one.name: one for one in declared_images(request.node, reading=True)}
            chosen = dict(arguments_by_name(request.node))
            built = {
                name: build_declared(state, images[name], request.node)
                for name in chosen
                if name in images
            }
            refuse_unknown(set(chosen) - set(images), set(images))
            network = _shared_network(state, stack, chosen.values())
        for name, arguments in chosen.items():
            more = {"network": network, **arguments, "name": name}
            found[name] = stack.enter_context(_serving(state, built[name], more))
        yield found


@pytest.fixture
def zlayer_network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A network private to the test, on which services find each other by their names."""
    state = state_of(request.config)
    with ExitStack() as stack:
        with Failing(state):
            network = stack.enter_context(state.services.network())
        yield network


class _ServiceFixture(ImageFixture):
    """The arguments of one ``service_fixture``, read when tests are collected."""

    maker = "service_fixture"

    def __init__(
        self, folder: Path, args: tuple[Any, ...], building: Any, serving: Mapping[str, Any]
    ) -> None:
        super().__init__(folder, args, building)
        self._serving = serving

    def spec(self, rootdir: Path, cell: object = None) -> ImageSpec:
        with LOADING:
            from pytest_zlayer.services.arguments import check_values

        known = dict.fromkeys([*argument_names(), *ARGUMENTS])
        for name in self._arguments:
            if name not in known:
                raise unknown_argument(name, self.maker, tuple(known))
        check_values(self._serving)
        return super().spec(rootdir, cell)


def service_fixture(
    context: Context = UNSET, *, scope: Scope = "session", **arguments: Any
) -> Callable[..., Service]:
    """Make a fixture that gives an image as a running service.

    Written at the top of a conftest or test module: ``db = service_fixture("services/db",
    port=5432)``. The arguments are those of ``Image.serve`` and of the ``image`` marker; one that
    both know (``name``, ``network``, ``timeout``, ``labels``, ``memory``…) is the service's, and an
    ``ImageSpec`` says the image's. Mistakes are reported when tests that use it are collected.
    """
    module = module_of_caller()
    serving = {name: one for name, one in arguments.items() if name in ARGUMENTS}
    building = {name: one for name, one in arguments.items() if name not in ARGUMENTS}
    declaration = _ServiceFixture(folder_of(module), positional(context), building, serving)

    # In a class pytest binds it to the instance, which comes as a positional argument then.
    def service(
        *_: object,
        request: pytest.FixtureRequest,
        zlayer_build: object,  # noqa: ARG001 - asked for to be ended before it
    ) -> Iterator[Service]:
        state = state_of(request.config)
        with Failing(state):
            spec = declaration.spec(request.config.rootpath, getattr(request, "param", None))
            image = state.build(spec)
        with _serving(state, image, serving) as running:
            yield running

    what = "its text" if context is UNSET else context
    service.__doc__ = f"A running service of the image built from {what}."
    service.__module__ = str(module.get("__name__"))
    service.__dict__[DECLARATION] = declaration
    params = declaration.cells() or None
    ids = [str(one) for one in params] if params else None
    made = pytest.fixture(scope=scope, params=params, ids=ids)(service)
    return cast("Callable[..., Service]", made)


def _serving(
    state: State, image: Image, arguments: Mapping[str, Any]
) -> AbstractContextManager[Service]:
    return _Serving(state, image, arguments)


class _Serving:
    """``Image.serve`` whose errors are failures of a fixture, without our own traceback."""

    def __init__(self, state: State, image: Image, arguments: Mapping[str, Any]) -> None:
        self._state = state
        self._stack = ExitStack()
        self._image = image
        self._arguments = arguments

    def __enter__(self) -> Service:
        __tracebackhide__ = True
        with Failing(self._state):
            service = self._stack.enter_context(self._image.serve(**self._arguments))
        self._state.tell_advice()
        return service

    def __exit__(self, *_: object) -> None:
        __tracebackhide__ = True
        with Failing(self._state):
            self._stack.close()


def _shared_network(state: State, stack: ExitStack, chosen: Any) -> Network | None:
    """The network of services that ask for none, where the engine has networks."""
    if all("network" in arguments for arguments in chosen):
        return None
    wanted = [arguments.get("engine", "auto") for arguments in chosen]
    engines = [state.services.engine(one) for one in wanted]
    if len({one.name for one in engines}) > 1 or not engines[0].has_networks:
        return None
    return stack.enter_context(state.services.network(wanted[0]))
