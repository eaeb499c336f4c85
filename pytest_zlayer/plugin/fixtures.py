"""The fixtures: the images a test declared, built when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.inputs.declarations import Place, declare
from pytest_zlayer.inputs.matrix import Cell, cells, parse_matrix
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.failures import as_failure
from pytest_zlayer.plugin.markers import UNNAMED, Declared, declared_images, the_image
from pytest_zlayer.plugin.state import State, state_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.image.container import Container
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.inputs.declarations import Context, ImageArguments

    Scope = Literal["session", "package", "module", "class", "function"]

# Not None: `context=None` says that there is none.
UNSET: Any = object()


@pytest.fixture
def zlayer_matrix(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The values of this test's cell of ``matrix=``, empty without one."""
    cell = getattr(request, "param", None)
    return cell.labels() if isinstance(cell, Cell) else {}


@pytest.fixture
def zlayer_image(
    request: pytest.FixtureRequest,
    zlayer_matrix: Mapping[str, str],  # noqa: ARG001 - a matrix parametrizes through it
) -> Image:
    """The image this test declares with ``@pytest.mark.image(...)``, built if need be."""
    state = state_of(request.config)
    with Failing(state):
        return build_declared(
            state, the_image(declared_images(request.node, reading=True)), request.node
        )


@pytest.fixture
def zlayer_images(
    request: pytest.FixtureRequest,
    zlayer_matrix: Mapping[str, str],  # noqa: ARG001 - a matrix parametrizes through it
) -> Mapping[str, Image]:
    """All images this test declares, by name; one without a name is called ``default``."""
    state = state_of(request.config)
    with Failing(state):
        images = declared_images(request.node, reading=True)
        return {one.name: build_declared(state, one, request.node) for one in images}


@pytest.fixture
def zlayer_container(zlayer_image: Image) -> Iterator[Container]:
    """A working container of the image this test declares, removed after the test."""
    with zlayer_image.container() as container:
        yield container


@pytest.fixture(scope="session")
def zlayer_build(request: pytest.FixtureRequest) -> BuildFixture:
    """Build an image now: ``zlayer_build("services/api", target="runtime")``."""
    return BuildFixture(state_of(request.config))


@pytest.fixture(scope="session")
def zlayer_engine(request: pytest.FixtureRequest) -> Engine:
    """The buildah in use: its version, features and storage."""
    state = state_of(request.config)
    with Failing(state):
        return state.engine


class BuildFixture:
    """Builds images when called; the same declaration is built once in a session."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, context: Context = UNSET, **arguments: Unpack[ImageArguments]) -> Image:
        """Build an image; the arguments are those of the ``image`` marker.

        Relative paths start at the folder of the calling file, then at the rootdir.

        Raises:
            UsageError, DockerfileError: it cannot mean anything.
            BuildError: a step failed.
            EngineMissing, EngineUnusable: no usable buildah.
        """
        __tracebackhide__ = True
        place = Place(folder_of(module_of_caller()), self._state.config.rootpath)
        try:
            spec = declare(positional(context), arguments, place=place, what="zlayer_build")
            return self._state.build(spec)
        except ZlayerError as error:
            _skip_if_missing(self._state, error)
            # The way through our code says nothing to the person who reads the report.
            raise error.with_traceback(None) from None


class ImageFixture:
    """The arguments of one ``image_fixture``, read when tests are collected."""

    maker = "image_fixture"

    def __init__(self, folder: Path, args: tuple[Any, ...], arguments: Mapping[str, Any]) -> None:
        self._folder = folder
        self._args = args
        self._arguments = arguments

    def spec(self, rootdir: Path, cell: object = None) -> ImageSpec:
        """The declaration for one cell of the matrix.

        Raises:
            UsageError: arguments that cannot mean anything.
        """
        if self._arguments.get("matrix") is not None:
            parse_matrix(self._arguments["matrix"])
        return declare(
            self._args,
            {name: one for name, one in self._arguments.items() if name != "matrix"},
            place=Place(self._folder, rootdir),
            what=self.maker,
            cell=cell.values_for(UNNAMED) if isinstance(cell, Cell) else None,
        )

    def cells(self) -> list[Cell]:
        """The cells of the matrix; none when there is no matrix, or a wrong one."""
        try:
            return cells([(UNNAMED, parse_matrix(self._arguments.get("matrix") or {}))])
        except ZlayerError:
            return []


def image_fixture(
    context: Context = UNSET,
    *,
    scope: Scope = "session",
    matrix: Mapping[str, Any] | None = None,
    **arguments: Unpack[ImageArguments],
) -> Callable[..., Image]:
    """Make a fixture that gives a built image.

    Written at the top of a conftest or test module: ``api = image_fixture("services/api")``; the
    fixture is called what it is assigned to. The other arguments are those of the ``image``
    marker; relative paths start at the folder of the calling file. Mistakes are reported when
    tests that use the fixture are collected.
    """
    module = module_of_caller()
    declaration = ImageFixture(
        folder_of(module), positional(context), {**arguments, "matrix": matrix}
    )

    def image(request: pytest.FixtureRequest, zlayer_build: object) -> Image:  # noqa: ARG001
        state = state_of(request.config)
        with Failing(state):
            spec = declaration.spec(request.config.rootpath, getattr(request, "param", None))
            return state.build(spec)

    image.__doc__ = f"Image built from {'its text' if context is UNSET else context}."
    image.__module__ = str(module.get("__name__"))
    # In a class it would be bound to the instance of one test, which it has no use for.
    static = staticmethod(image)
    static.__dict__[DECLARATION] = declaration
    params = declaration.cells() or None
    ids = [str(one) for one in params] if params else None
    made = pytest.fixture(scope=scope, params=params, ids=ids)(static)
    return cast("Callable[..., Image]", made)


DECLARATION = "zlayer_declaration"


def image_fixtures_of(item: pytest.Item) -> Iterator[Callable[[], ImageSpec]]:
    """What gives the specs of the ``image_fixture`` fixtures that a test uses."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params if callspec is not None else {}
    for name, definition in _definitions(item):
        declaration = getattr(definition.func, DECLARATION, None)
        if isinstance(declaration, ImageFixture):
            yield _bound(declaration, item.config.rootpath, parameters.get(name))


def _bound(declaration: ImageFixture, rootdir: Path, cell: object) -> Callable[[], ImageSpec]:
    return lambda: declaration.spec(rootdir, cell)


def calls_for_images(item: pytest.Item) -> bool:
    """Whether a test, or a fixture it uses, may build images that nobody declares."""
    info = getattr(item, "_fixtureinfo", None)
    if "zlayer_build" in getattr(info, "argnames", ()):
        return True
    return any(
        "zlayer_build" in definition.argnames and not hasattr(definition.func, DECLARATION)
        for _, definition in _definitions(item)
    )


def is_overridden(item: pytest.Item, name: str) -> bool:
    """Whether a test sees another fixture of this name than that of the plugin."""
    found = dict(_definitions(item)).get(name)
    return found is not None and getattr(found.func, "__module__", "") != __name__


def _definitions(item: pytest.Item) -> Iterator[tuple[str, Any]]:
    """The fixtures a test uses, as pytest will find them: the closest of each name."""
    # pytest has no public way to ask for a fixture's definition before it runs; without one,
    # the mistakes of image_fixture show when the fixture is set up.
    info = getattr(item, "_fixtureinfo", None)
    for name, definitions in getattr(info, "name2fixturedefs", {}).items():
        if definitions:
            yield name, definitions[-1]


def all_definitions(item: pytest.Item) -> list[object]:
    """The fixtures a test uses, with those that they override."""
    found = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return [one for definitions in found.values() for one in definitions]


class Failing:
    """Turns errors of builds into failures of a fixture: a message without a traceback."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True
        if isinstance(error, ZlayerError):
            _skip_if_missing(self._state, error)
            raise as_failure(error, self._state.clean) from None


def _skip_if_missing(state: State, error: ZlayerError) -> None:
    if state.settings["missing"] != "skip":
        return
    with LOADING:
        from pytest_zlayer.buildah.errors import EngineMissing, EngineUnusable

    if isinstance(error, (EngineMissing, EngineUnusable)):
        pytest.skip(error.message.splitlines()[0])


def build_declared(state: State, declared: Declared, item: Any) -> Image:
    """The image of a declaration; its retries go into the test's properties."""
    spec = declared.make()
    try:
        return state.build(spec)
    finally:
        lines = state.reporter.take_retries(state.session.identity(spec))
        item.user_properties.extend(("zlayer_retry", line) for line in lines)


def positional(context: Any) -> tuple[Any, ...]:
    """The context as positional arguments: one or none."""
    return () if context is UNSET else (context,)


def module_of_caller() -> Mapping[str, Any]:
    """The names of the module two calls up, which called a function of this module."""
    return sys._getframe(2).f_globals  # noqa: SLF001


def folder_of(module: Mapping[str, Any]) -> Path:
    """The folder of a module's file."""
    name = module.get("__file__")
    return Path(name).parent if name else Path.cwd()
