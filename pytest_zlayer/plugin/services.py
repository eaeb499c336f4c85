"""Fixtures for images that run, and their logs in the reports of tests that failed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.inputs.declarations import argument_names, unknown_argument
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.fixtures import (
    DECLARATION,
    UNSET,
    Failing,
    ImageFixture,
    all_definitions,
    build_declared,
    folder_of,
    module_of_caller,
    positional,
)
from pytest_zlayer.plugin.markers import UNNAMED, closest_first, declared_images
from pytest_zlayer.plugin.state import State, state_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.inputs.declarations import Context
    from pytest_zlayer.plugin.fixtures import Scope
    from pytest_zlayer.services.networks import Network
    from pytest_zlayer.services.running import Service

MARKER = "zlayer_service"
# The arguments of Image.serve; a test compares them.
ARGUMENTS = (
    "cmd", "port", "ports", "env", "user", "workdir", "mounts", "tmpfs", "copy_in", "network",
    "name", "hostname", "read_only", "shm_size", "ulimits", "memory", "privileged", "cap_add",
    "cap_drop", "devices", "labels", "ready", "timeout", "engine",
)  # fmt: skip
MARKER_LINE = (
    f"{MARKER}({', '.join(ARGUMENTS)}): how zlayer_service and zlayer_services run the image of a "
    "test, as the arguments of Image.serve (pytest-zlayer); name= says which image."
)
SECTION = "service "
_SHOWN_LINES = 200
_STARTED = pytest.StashKey[int]()


@pytest.fixture
def zlayer_service(request: pytest.FixtureRequest, zlayer_image: Image) -> Iterator[Service]:
    """The image this test declares, running and ready; ``@pytest.mark.zlayer_service(...)``."""
    state = state_of(request.config)
    with Failing(state):
        arguments = _for_one(list(_marks(request.node)))
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
            chosen = dict(_by_name(request.node))
            built = {
                name: build_declared(state, images[name], request.node)
                for name in chosen
                if name in images
            }
            _refuse_unknown(set(chosen) - set(images), set(images))
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


def mistakes(item: pytest.Item) -> Iterator[Callable[[], ImageSpec]]:
    """What tells of wrong ``zlayer_service`` marks of a test, each by raising ``UsageError``."""
    names = set(getattr(item, "fixturenames", ()))
    if names.isdisjoint({"zlayer_service", "zlayer_services"}):
        return
    try:
        with LOADING:
            from pytest_zlayer.services.arguments import check_values

        for mark in _marks(item):
            check_values(_arguments(mark))
        _refuse_doubles(item)
        if "zlayer_services" in names:
            _refuse_none(item)
            known = {one.name for one in declared_images(item)}
            _refuse_unknown({name for name, _ in _by_name(item)} - known, known)
    except UsageError as error:
        problem = error

        def fail() -> ImageSpec:
            raise problem

        yield fail


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


def _marks(item: Any) -> Iterator[pytest.Mark]:
    """The marks of a test, the closest first."""
    return (mark for mark in closest_first(item) if mark.name == MARKER)


def _arguments(mark: pytest.Mark) -> dict[str, Any]:
    if len(mark.args) > 1 or (mark.args and "cmd" in mark.kwargs):
        raise UsageError(f"the {MARKER} marker takes one positional argument, the command")
    for name in mark.kwargs:
        if name not in ARGUMENTS:
            raise unknown_argument(name, f"the {MARKER} marker", ARGUMENTS)
    return {**({"cmd": mark.args[0]} if mark.args else {}), **mark.kwargs}


def _for_one(marks: list[pytest.Mark]) -> dict[str, Any]:
    unnamed = [one for one in marks if "name" not in one.kwargs]
    chosen = (unnamed or marks)[:1]
    return _arguments(chosen[0]) if chosen else {}


def _by_name(item: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The marks by name, in the order in which they are written.

    Decorators work from the bottom up, so the closest of those that stand together was written
    last.
    """
    found: dict[str, dict[str, Any]] = {}
    for mark in _marks(item):
        arguments = _arguments(mark)
        found.setdefault(str(arguments.get("name") or UNNAMED), arguments)
    yield from reversed(found.items())


def _refuse_doubles(item: pytest.Item) -> None:
    """Two marks of one name on the same function: neither is closer than the other."""
    callspec = getattr(item, "callspec", None)
    chosen = [id(one) for one in getattr(callspec, "marks", ())]
    own = [one for one in item.own_markers if one.name == MARKER and id(one) not in chosen]
    names = [str(one.kwargs.get("name") or UNNAMED) for one in own]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise UsageError(
            f"two {MARKER} marks are for the same image: {doubles[0]}",
            hint="give each image a name, and each mark the name of its image",
        )


def _refuse_none(item: pytest.Item) -> None:
    if not any(_marks(item)):
        raise UsageError(
            f"the test has no {MARKER} mark, so zlayer_services has no services",
            hint=f'add one for each image that is to run: @pytest.mark.{MARKER}(name="…")',
        )


def _refuse_unknown(names: set[str], known: set[str]) -> None:
    if names:
        raise UsageError(
            f"the {MARKER} marker names an image that the test does not declare: "
            f"{', '.join(sorted(names))}",
            hint=f"declared are {', '.join(sorted(known))}" if known else "declare it with "
            '@pytest.mark.image("path/of/the/context", name="…")',
        )  # fmt: skip


class ServiceReports:
    """Puts the logs of a failed test's services into its report.

    Those of a wider scope belong to the fixture that has started them.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember which services were there before the test."""
        services = self._state.known_services
        if services is not None:
            services.forget_ended()
            item.stash[_STARTED] = services.count
            known = self._state.fixture_services
            self._state.fixture_services = {one: by for one, by in known.items() if not one.over}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Remember which services a fixture has started."""
        services = self._state.known_services
        before = 0 if services is None else services.count
        try:
            return (yield)
        finally:
            services = self._state.known_services
            for one in () if services is None else services.started_since(before):
                self._state.fixture_services.setdefault(one, fixturedef)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add a section for each service of a test that failed."""
        report = yield
        if report.failed and self._state.known_services is not None:
            for service in self._services_of(item):
                report.sections.append((f"{SECTION}{service.name}", _section(service)))
        return report

    def _services_of(self, item: pytest.Item) -> list[Service]:
        """The services of a test: those of its fixtures, and those started while it ran."""
        used = all_definitions(item)
        started_by = self._state.fixture_services.items()
        shared = [one for one, by in started_by if by in used and not one.over]
        own = self._state.services.started_since(item.stash.get(_STARTED, 0))
        return list(dict.fromkeys([*shared, *own]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Let the junit report, which knows no sections, have them with the failure."""
        sections = [one for one in report.sections if one[0].startswith(SECTION)]
        if not sections or not report.failed or self._state.worker is not None:
            return (yield)
        text: Any = report.longrepr
        if isinstance(text, str):
            report.longrepr = "\n".join([text, *(f"--- {name}\n{one}" for name, one in sections)])
        for name, content in sections if hasattr(text, "addsection") else ():
            text.addsection(name, content)
        try:
            return (yield)
        finally:  # the terminal shows sections itself, and later
            report.longrepr = text
            if hasattr(text, "addsection"):
                del text.sections[-len(sections) :]


def _section(service: Service) -> str:
    try:
        lines = service.log_text()
    except (ZlayerError, OSError) as error:  # the failure of the test is what matters
        return f"its log cannot be read: {error}"
    left_out = len(lines) - _SHOWN_LINES
    head = [f"({left_out} earlier lines are left out)"] if left_out > 0 else []
    return "\n".join([service.state(), *head, *lines[-_SHOWN_LINES:]])
