"""After collection: every declaration is planned, and all mistakes are reported at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin import listing, service_marks
from pytest_zlayer.plugin.failures import collect_error, failure_text, first_line
from pytest_zlayer.plugin.fixtures import image_fixtures_of, is_overridden
from pytest_zlayer.plugin.listing import Needed
from pytest_zlayer.plugin.markers import OWN_MARKER, READING_FIXTURES, declared_images, the_image
from pytest_zlayer.plugin.state import State

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.builder.plan.build_plan import BuildPlan


@dataclass(frozen=True, slots=True)
class Mistake:
    """What a test declares wrongly; ``first`` is the test that shows it before this one."""

    message: str
    item: pytest.Item
    first: pytest.Item | None = None

    @property
    def place(self) -> tuple[str, int | None, str]:
        """The test's file, its line (from 0) and its name."""
        return self.item.location

    def __str__(self) -> str:
        path, line, name = self.place
        number = "" if line is None else f":{line + 1}"
        said = self.message if self.first is None else self._pointer(self.first)
        body = "\n".join(f"  {line}" if line else "" for line in said.splitlines())
        return f"{path}{number}: {name}\n{body}"

    def _pointer(self, first: pytest.Item) -> str:
        return f"{first_line(self.message)} (in full at {first.nodeid})"


class Survey:
    """What the selected tests need; planning needs no engine."""

    def __init__(self, plan: Callable[[ImageSpec], BuildPlan]) -> None:
        self._plan = plan
        self._planned: dict[Any, BuildPlan | ZlayerError] = {}
        self._needed: dict[Any, Needed] = {}
        self._mistakes: list[Mistake] = []
        self._shown: dict[str, pytest.Item] = {}
        self.without_images = 0

    def add(self, item: pytest.Item) -> None:
        """Plan the images that a test declares."""
        makers = list(_makers(item))
        self.without_images += not makers
        for make in makers:
            self._try_one(make, item)

    @property
    def needed(self) -> list[Needed]:
        """The images in the order in which tests need them."""
        return list(self._needed.values())

    @property
    def mistakes(self) -> list[Mistake]:
        """All mistakes in the order of the tests."""
        return list(self._mistakes)

    def _try_one(self, make: Callable[[], ImageSpec], item: pytest.Item) -> None:
        try:
            self._need(make(), item)
        except ZlayerError as error:
            self._note(error, item)

    def _need(self, spec: ImageSpec, item: pytest.Item) -> None:
        key = (spec.name, spec.key())
        if key not in self._planned:
            self._planned[key] = self._try(spec)
        planned = self._planned[key]
        if isinstance(planned, ZlayerError):
            raise planned
        needed = self._needed.setdefault(key, Needed(spec, planned))
        needed.wanted |= item.get_closest_marker("skip") is None
        if item.nodeid not in needed.tests[-1:]:
            needed.tests.append(item.nodeid)

    def _try(self, spec: ImageSpec) -> BuildPlan | ZlayerError:
        try:
            return self._plan(spec)
        except ZlayerError as error:
            return error

    def _note(self, error: ZlayerError, item: pytest.Item) -> None:
        first = self._shown.setdefault(str(error), item)
        self._mistakes.append(Mistake(str(error), item, None if first is item else first))


def check(state: State, session: pytest.Session) -> None:
    """Plan what the selected tests declare; each mistake is an error of the collection.

    Tests with a mistake are not run. The others run only where pytest is to continue on such
    errors; a worker of pytest-xdist, which does not ask, has no tests left else.
    """
    found = survey(session.items, lambda: state.session.plan)
    state.expect([one.spec for one in found.needed if one.wanted])
    state.mistakes = len(found.mistakes)
    for mistake in found.mistakes:
        report = collect_error(mistake.item, state.clean(str(mistake)), mistake.message)
        session.config.hook.pytest_collectreport(report=report)
    wrong = {id(mistake.item) for mistake in found.mistakes}
    if wrong and state.worker is not None and not _continues(session):
        session.items.clear()
    session.items[:] = [item for item in session.items if id(item) not in wrong]
    if state.worker is not None and state.wanted and _runs_tests(session.config.option):
        # The tests are distributed when all workers have reported what they collected: so none of
        # them ends, with what it has built for all, before the slowest has begun.
        with contextlib.suppress(ZlayerError):  # the tests that need the engine will say so
            state.session.join()


def _continues(session: pytest.Session) -> bool:
    return bool(session.config.option.continue_on_collection_errors)


def begin(state: State, session: pytest.Session) -> bool | None:
    """Before the first test: start building in the background, or only list the images.

    Returns:
        ``True`` when nothing is left to be run.
    """
    option = session.config.option
    if session.testsfailed and not _continues(session):
        return None
    if state.settings["list"]:
        _list(state, session)
        return True
    if state.settings["prebuild"] == "only":
        _build_all(state)
        return True
    if _builds_ahead(state, option):
        # A worker of pytest-xdist learns one by one which tests it gets: it brings layers into the
        # cache, where all find them, and begins where its share begins.
        start = round(len(state.wanted) * state.share)
        ahead = [*state.wanted[start:], *state.wanted[:start]]
        state.session.prebuild(ahead, layers_only=state.worker is not None)
    return None


def _list(state: State, session: pytest.Session) -> None:
    found = survey(session.items, lambda: state.session.plan)
    if state.settings["list"] == "json":
        listing.write_json(state.config, found.needed)
    else:
        state.reporter.show(listing.as_text(found.needed, found.without_images))


def _build_all(state: State) -> None:
    """Build the images of the selected tests, each as far as it goes, and run no test."""
    with state.reporter.live():
        problems = state.session.build_all(state.wanted) if state.wanted else []
    for problem in problems:
        state.failed = True
        state.reporter.show([*state.clean(failure_text(problem)).splitlines(), ""])


def select_group(state: State, items: list[pytest.Item]) -> None:
    """Keep the tests that need an image of one group; the others are deselected.

    Raises:
        pytest.UsageError: there is no such group.
    """
    wanted = state.settings["group"]
    if wanted is None:
        return
    groups = {
        one.id: one for one in listing.groups_of(survey(items, lambda: state.session.plan).needed)
    }
    if wanted not in groups:
        known = ", ".join(groups) or "none"
        raise pytest.UsageError(f"--zlayer-group: no group {wanted!r}; there are: {known}")
    kept = [item for item in items if item.nodeid in groups[wanted].tests]
    others = [item for item in items if item.nodeid not in groups[wanted].tests]
    state.config.hook.pytest_deselected(items=others)
    items[:] = kept


def _builds_ahead(state: State, option: Any) -> bool:
    return bool(_runs_tests(option) and state.wanted and state.settings["prebuild"] == "on")


def _runs_tests(option: Any) -> bool:
    return not (option.collectonly or getattr(option, "setupplan", False))


def survey(
    items: Iterable[pytest.Item], plan: Callable[[], Callable[[ImageSpec], BuildPlan]]
) -> Survey:
    """Plan what the tests declare; ``plan`` gives the planner, asked for only when needed."""

    def lazily(spec: ImageSpec) -> BuildPlan:
        return plan()(spec)

    found = Survey(lazily)
    for item in items:
        found.add(item)
    return found


def _makers(item: pytest.Item) -> Iterator[Callable[[], ImageSpec]]:
    """What gives the specs of a test's declarations; each may raise ``UsageError``."""
    own = getattr(item, "zlayer_images", None)  # an item that is no function
    yield from own() if own is not None else ()
    images = declared_images(item)
    yield from (one.make for one in images)
    yield from image_fixtures_of(item)
    yield from service_marks.mistakes(item)
    names = set(getattr(item, "fixturenames", ())) & READING_FIXTURES
    if not names or is_overridden(item, OWN_MARKER):
        return
    if not images or (len(images) > 1 and not names <= {"zlayer_images", "zlayer_services"}):
        # Whether the test says which image it means; the image itself is planned above already.
        yield from _clarity(images)


def _clarity(images: list[Any]) -> Iterator[Callable[[], ImageSpec]]:
    try:
        the_image(images)
    except ZlayerError as error:
        problem = error

        def fail() -> ImageSpec:
            raise problem

        yield fail
