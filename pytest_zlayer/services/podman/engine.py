"""podman as what runs services."""

from __future__ import annotations

import itertools
import secrets

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.services.errors import ServiceError, ServiceRefused
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.podman.commands import Podman
from pytest_zlayer.services.podman.containers import PodmanContainer
from pytest_zlayer.services.podman.networks import PodmanNetworks
from pytest_zlayer.services.podman.probe import Verdict
from pytest_zlayer.services.request import ServeRequest

# How often other ports are taken when somebody was faster.
_TRIES = 5
_PORT_USED = ("address already in use", "port is already allocated")


class PodmanEngine:
    """Runs images with podman."""

    name = "podman"

    def __init__(self, podman: Podman, verdict: Verdict) -> None:
        self.podman = podman
        self.verdict = verdict
        self.has_networks = not podman.engine.rootless and not verdict.why_no_ports
        self._networks = PodmanNetworks(podman)
        self._numbers = itertools.count(1)
        self._has_kept = False
        podman.engine.remember_podman(own=podman.own)

    def serve(self, image: ImageLike, request: ServeRequest) -> PodmanContainer:
        """Start a container."""
        for _ in range(_TRIES):
            name = f"{self.podman.engine.prefix}{request.name}-{next(self._numbers)}-"
            name += secrets.token_hex(3)
            container = PodmanContainer(
                self.podman, name, request, self._networks, on_keep=self._note_kept
            )
            if self._started(container, image):
                return container
        raise ServiceError(
            f"service {request.name}: other programs have taken every port that was tried"
        )

    def _note_kept(self) -> None:
        self._has_kept = True

    @staticmethod
    def _started(container: PodmanContainer, image: ImageLike) -> bool:
        """Start a container; not if another program was faster to take one of its ports."""
        try:
            container.create(image)
        except EngineError as error:
            container.remove()
            if any(one in "\n".join(error.stderr) for one in _PORT_USED):
                return False
            raise ServiceError(
                f"service {container.label} could not be started: {error.message}",
                hint=error.hint,
            ) from error
        except BaseException:
            container.remove()
            raise
        return True

    def make_network(self) -> Network:
        """A private network."""
        if not self.has_networks:
            reason = self.verdict.why_no_ports or "podman runs as an ordinary user"
            raise ServiceRefused(
                f"there are no private networks here: {reason}", hint='serve with network="host"'
            )
        return self._networks.make()

    def remove_network(self, network: Network) -> None:
        """Remove a network that nobody is on any more."""
        self._networks.remove(network)

    def close(self) -> None:
        """Remove the network of services that asked for none."""
        self._networks.close()
        if not self._has_kept:
            self.podman.runroot.release()
