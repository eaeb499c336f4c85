"""Private networks: a subnet, and a fixed address for each name on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import field

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.errors import ServiceError
from pytest_zlayer.services.ports import Claim

# The first address is the bridge's own; the last one is the broadcast address.
_FIRST, _LAST = 2, 254


@dataclass(eq=False, slots=True)
class Network:
    """A network on which services find each other by name.

    Attributes:
        name: what podman calls it.
        subnet: its addresses, as ``10.213.7.0/24``.
    """

    name: str
    _claim: Claim = field(repr=False)
    _addresses: dict[str, str] = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _joined: dict[str, Callable[[], None]] = field(default_factory=dict, repr=False)

    @property
    def subnet(self) -> str:
        return self._claim.value

    def address_of(self, service: str) -> str:
        """The address of a name, which gets one when it is first asked for.

        Raises:
            ServiceError: the network is full.
        """
        with self._guard:
            if service not in self._addresses:
                self._addresses[service] = self._free_address()
            return self._addresses[service]

    def _free_address(self) -> str:
        start, used = self.subnet.rpartition(".")[0], set(self._addresses.values())
        for number in range(_FIRST, _LAST + 1):
            if (address := f"{start}.{number}") not in used:
                return address
        raise ServiceError(f"network {self.name} has no address left")

    def forget(self, service: str) -> None:
        """Nobody will ask for this name again."""
        with self._guard:
            self._addresses.pop(service, None)

    def names(self) -> dict[str, str]:
        """All names with their addresses."""
        with self._guard:
            return dict(self._addresses)

    def join(self, service: str, changed: Callable[[], None]) -> None:
        """A service joins the network; ``changed`` is called when others do.

        Raises:
            ServiceError: another service has this name here.
        """
        with self._guard:
            if service in self._joined:
                raise ServiceError(f"two services on one network are called {service!r}")
            self._joined[service] = changed

    def announce(self, service: str) -> None:
        """Tell the others of a service."""
        with self._guard:
            others = [one for name, one in self._joined.items() if name != service]
        for tell in others:
            tell()

    def leave(self, service: str) -> None:
        """It is no longer."""
        with self._guard:
            self._joined.pop(service, None)

    def release(self) -> None:
        """Give the subnet back."""
        self._claim.release()
