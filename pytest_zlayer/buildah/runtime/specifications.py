"""The specifications of one storage: taken from buildah once each, then remembered on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from pytest_zlayer.buildah.runtime.specification import (
    NotUnderstood,
    Setting,
    Specification,
    from_json,
    to_json,
)
from pytest_zlayer.buildah.runtime.validity import names_this_machine
from pytest_zlayer.waiting import held

Known = tuple[Specification, str]


class Memory(Protocol):
    """Where answers are kept between processes."""

    def get(self, question: str) -> Any | None:
        """The remembered answer."""
        ...

    def put(self, question: str, answer: Any) -> None:
        """Remembers an answer."""
        ...


class Specifications:
    """One for each setting.

    Args:
        memory: what is known from earlier processes.
        name: of the runtime, and how it is used.
        validity: the text that stands for everything that buildah makes a specification from.
        take: has buildah run something, and gives what it asked of the runtime, with the text that
            stands for the way in which the container is set up.
    """

    def __init__(
        self,
        memory: Memory,
        name: str,
        validity: Callable[[], str],
        take: Callable[[Setting], Known],
    ) -> None:
        self._memory = memory
        self._name = name
        self._validity = validity
        self._take = take
        self._known: dict[Setting, Known | None] = {}
        self._taking = threading.Lock()

    def get(self, setting: Setting) -> Known:
        """The specification for such commands.

        Raises:
            NotUnderstood: what buildah asks for here has to be left to it.
            EngineError: asking buildah was interrupted.
        """
        with held(self._taking):
            if setting not in self._known:
                try:
                    self._known[setting] = self._recall(setting) or self._taken(setting)
                except (NotUnderstood, OSError):
                    self._known[setting] = None  # it is not tried again
                    raise
            known = self._known[setting]
        if known is None:
            raise NotUnderstood("the specification is not understood")
        return known

    def offer(self, setting: Setting, known: Known) -> None:
        """Remembers one that was taken in passing."""
        with held(self._taking):
            self._known[setting] = known
            self._remember(setting, known)

    def _question(self, setting: Setting) -> str:
        return f"specification {self._name} {setting}"

    def _recall(self, setting: Setting) -> Known | None:
        answer = self._memory.get(self._question(setting))
        if not isinstance(answer, dict) or answer.get("valid") != self._validity():
            return None
        found = from_json(answer.get("specification"))
        if found is None or not names_this_machine(found):
            return None
        return found, str(answer["way"])

    def _taken(self, setting: Setting) -> Known:
        known = self._take(setting)
        self._remember(setting, known)
        return known

    def _remember(self, setting: Setting, known: Known) -> None:
        specification, way = known
        answer = {
            "valid": self._validity(),
            "specification": to_json(specification),
            "way": way,
        }
        self._memory.put(self._question(setting), answer)
