"""The specifications of one storage: taken from buildah once each, then remembered on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from pytest_zlayer.buildah.runtime.specification import (
    NotUnderstood,
    Specification,
    from_json,
    to_json,
)
from pytest_zlayer.buildah.runtime.validity import names_this_machine

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
    """One for each network, and for root and other users: they differ in capabilities.

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
        take: Callable[[str, bool], Known],
    ) -> None:
        self._memory = memory
        self._name = name
        self._validity = validity
        self._take = take
        self._known: dict[tuple[str, bool], Known | None] = {}
        self._taking = threading.Lock()

    def get(self, network: str, is_root: bool) -> Known:
        """The specification for commands of root, or of another user, in this network.

        Raises:
            NotUnderstood: what buildah asks for here has to be left to it.
        """
        with self._taking:
            key = (network, is_root)
            if key not in self._known:
                self._known[key] = None  # it is not tried again
                self._known[key] = self._recall(key) or self._taken(key)
            known = self._known[key]
        if known is None:
            raise NotUnderstood("the specification is not understood")
        return known

    def offer(self, network: str, is_root: bool, known: Known) -> None:
        """Remembers one that was taken in passing."""
        with self._taking:
            self._known[network, is_root] = known
            self._remember((network, is_root), known)

    def _question(self, key: tuple[str, bool]) -> str:
        network, is_root = key
        return f"specification {self._name} {network} {'root' if is_root else 'user'}"

    def _recall(self, key: tuple[str, bool]) -> Known | None:
        answer = self._memory.get(self._question(key))
        if not isinstance(answer, dict) or answer.get("valid") != self._validity():
            return None
        found = from_json(answer.get("specification"))
        if found is None or not names_this_machine(found):
            return None
        return found, str(answer["way"])

    def _taken(self, key: tuple[str, bool]) -> Known:
        known = self._take(*key)
        self._remember(key, known)
        return known

    def _remember(self, key: tuple[str, bool], known: Known) -> None:
        specification, way = known
        answer = {
            "valid": self._validity(),
            "specification": to_json(specification),
            "way": way,
        }
        self._memory.put(self._question(key), answer)
