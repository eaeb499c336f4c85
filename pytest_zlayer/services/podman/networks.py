"""Networks for podman: private bridges, described in files as netavark keeps them."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.podman.commands import Podman, says_not_known
from pytest_zlayer.services.ports import Claim, claim_subnet
from pytest_zlayer.waiting import held


class PodmanNetworks:
    """The networks of one process.

    podman itself would give a new network a subnet and an interface that nobody has at that moment;
    podmans on other storages choose the same before either is set up. Names are found by
    ``/etc/hosts`` and fixed addresses: the name server that podman starts is one for the whole
    machine, and would end with the process that has started it.
    """

    def __init__(self, podman: Podman) -> None:
        self._podman = podman
        self._guard = threading.Lock()
        self._default: Network | None = None

    def make(self) -> Network:
        """A new network."""
        subnet = claim_subnet()
        identifier = secrets.token_hex(32)
        name = f"{self._podman.engine.prefix}net-{identifier[:6]}"
        try:
            self._write(name, identifier, subnet)
        except BaseException:
            subnet.release()
            raise
        return Network(name, subnet)

    def _write(self, name: str, identifier: str, subnet: Claim) -> None:
        found = {
            "name": name,
            "id": identifier,
            "driver": "bridge",
            "network_interface": f"zl{identifier[:10]}",
            "created": datetime.now(timezone.utc).isoformat(),
            "subnets": [{"subnet": subnet.value, "gateway": f"{subnet.value[:-5]}.1"}],
            "ipv6_enabled": False,
            "internal": False,
            "dns_enabled": False,
            "ipam_options": {"driver": "host-local"},
        }
        folder = self._podman.engine.storage.state / "networks"
        unfinished = Path(folder, f"{name}.unfinished")
        unfinished.write_text(json.dumps(found), encoding="ascii")
        unfinished.replace(folder / f"{name}.json")

    def options(self, network: Network, container: str) -> list[str]:
        """What puts a container on a network."""
        address = network.address_of(container)
        return ["--network", f"{network.name}:ip={address},mac={hardware_address(address)}"]

    def default_options(self, container: str) -> list[str]:
        """What puts a container where its ports can be published and nobody knows it."""
        if self._podman.engine.rootless:
            return []  # its own network, with which podman forwards ports
        with held(self._guard):
            if self._default is None:
                self._default = self.make()
        return self.options(self._default, container)

    def forget(self, container: str) -> None:
        """A container of the default network is gone."""
        if self._default is not None:
            self._default.forget(container)

    def disconnect(self, inspected: dict[str, Any]) -> None:
        """Take a container that is to outlive its network off it."""
        for name in inspected["NetworkSettings"].get("Networks") or {}:
            if name.startswith(self._podman.engine.prefix):
                self._podman.output("network", "disconnect", name, str(inspected["Id"]))

    def remove(self, network: Network) -> None:
        """Remove a network with whatever is still on it."""
        try:
            self._podman.output("network", "rm", "--force", network.name, brief=True)
        except EngineError as error:
            if not says_not_known(error):
                raise
        finally:
            network.release()

    def close(self) -> None:
        """Remove the network of services that asked for none."""
        with held(self._guard):
            default, self._default = self._default, None
        if default is not None:
            with contextlib.suppress(EngineError):  # the agent tries again at its end
                self.remove(default)


def hardware_address(address: str) -> str:
    """The one that goes with an address, as with Docker.

    The kernel notes for half a minute and more which hardware address has an address. If the next
    container that gets it had another one, nothing that is sent to it would arrive until then.
    """
    return ":".join(["02", "42", *(f"{int(number):02x}" for number in address.split("."))])
