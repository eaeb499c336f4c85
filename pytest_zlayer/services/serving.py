"""The services of one session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_zlayer.choices import EngineChoice
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.services.arguments import check_engine, check_waiting, make_request
from pytest_zlayer.services.engine import ServiceEngine
from pytest_zlayer.services.errors import ServiceError, ServiceRefused
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.readiness import default_condition
from pytest_zlayer.services.running import Service
from pytest_zlayer.waiting import held

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.facts import ImageStore
    from pytest_zlayer.builder.image.image_like import ImageLike


class Services:
    """What runs images in one session. Safe for several threads."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._guard = threading.RLock()
        self._engines: dict[str, ServiceEngine | ServiceRefused] = {}
        self._live: dict[Service, None] = {}
        self.advice: str | None = None
        self._started: list[Service] = []
        self._forgotten = 0

    @property
    def live(self) -> tuple[Service, ...]:
        """The services that have not been removed, in the order they were started."""
        return tuple(self._live)

    @property
    def count(self) -> int:
        """How many services have been started so far."""
        return self._forgotten + len(self._started)

    def started_since(self, count: int) -> list[Service]:
        """The services started after so many others, also those that are over."""
        return self._started[max(0, count - self._forgotten) :]

    def forget_ended(self) -> None:
        """Let go of the services that are over."""
        going = [one for one in self._started if one.over]
        self._started = [one for one in self._started if not one.over]
        self._forgotten += len(going)

    @contextmanager
    def serve(
        self,
        image: ImageLike,
        cmd: Any,
        *,
        ready: Callable[[Service], bool] | None,
        timeout: float,
        engine: EngineChoice,
        **given: Any,
    ) -> Iterator[Service]:
        """A service of ``image``, ready, removed at the end of the ``with`` block."""
        check_waiting(ready, timeout)
        request = make_request(image, cmd, given)
        chosen = self.engine(engine)
        container = chosen.serve(image, request)
        service = Service(image, request, container, chosen.name)
        self._live[service] = None
        self._started.append(service)
        self._store.keeping.begin(service, service.name, service.keep, service.end)
        raised = True
        try:
            service.wait(ready or default_condition(service), timeout)
            yield service
            raised = False
        finally:
            self._end(service, raised=raised)

    def _end(self, service: Service, *, raised: bool = False) -> None:
        self._live.pop(service, None)
        self._store.keeping.end(service, raised=raised)

    def _problem(self, service: Service) -> str | None:
        """Remove a service; why that failed."""
        try:
            self._end(service)
        except ZlayerError as error:
            return str(error)
        return None

    def engine(self, choice: EngineChoice = "auto") -> ServiceEngine:
        """The engine that was chosen, or the strongest that works.

        Raises:
            UsageError: there is no such engine.
            ServiceRefused: it does not work here; the message says why.
        """
        check_engine(choice)
        wanted = self._store.service_engine if choice == "auto" else choice
        with held(self._guard):
            if wanted not in self._engines:
                self._engines[wanted] = self._open(wanted)
            found = self._engines[wanted]
        if isinstance(found, ServiceRefused):
            raise found
        return found

    def _open(self, wanted: str) -> ServiceEngine | ServiceRefused:
        if wanted == "buildah":
            with LOADING:
                from pytest_zlayer.services.runtime import RuntimeEngine

            return RuntimeEngine(self._store)
        podman = self._open_podman(strict=wanted == "podman")
        if isinstance(podman, str) and wanted == "podman":
            return ServiceRefused(podman, hint="install podman, or take the engine buildah")
        if isinstance(podman, str):
            self.advice = f"{podman}: services run with buildah on the network of this machine"
            return self._open("buildah")
        return podman

    def _open_podman(self, *, strict: bool) -> ServiceEngine | str:
        """podman, or why not."""
        with LOADING:
            from pytest_zlayer.services.podman.engine import PodmanEngine
            from pytest_zlayer.services.podman.probe import find_podman, probe

        podman = find_podman(self._store.engine)
        if podman is None:
            return "podman is not installed"
        with ExitStack() as unused:
            unused.callback(podman.runroot.release)
            verdict = probe(podman)
            if verdict.why_not:
                return f"podman cannot run containers here ({verdict.why_not})"
            if verdict.why_no_ports and not strict:
                return f"podman cannot publish ports here ({verdict.why_no_ports})"
            engine = PodmanEngine(podman, verdict)
            unused.pop_all()
        return engine

    @contextmanager
    def network(self, engine: EngineChoice = "auto") -> Iterator[Network]:
        """A private network, removed at the end of the ``with`` block."""
        chosen = self.engine(engine)
        made = chosen.make_network()
        try:
            yield made
        finally:
            chosen.remove_network(made)

    def close(self) -> None:
        """End whatever still runs.

        Raises:
            ServiceError: something could not be removed.
        """
        problems = [text for one in reversed(self.live) if (text := self._problem(one))]
        engines = {id(one): one for one in self._engines.values()}
        for engine in engines.values():
            if not isinstance(engine, ServiceRefused):
                engine.close()
        if problems:
            raise ServiceError("\n".join(problems))
