"""Services with buildah alone."""

from __future__ import annotations

from pytest_zlayer.builder.image.facts import ImageStore
from pytest_zlayer.services.engine import ServiceEngine
from pytest_zlayer.services.errors import ServiceRefused


def make_engine(store: ImageStore) -> ServiceEngine:
    """The engine.

    Raises:
        ServiceRefused: it does not work yet.
    """
    raise ServiceRefused(f"buildah {store.engine.version} alone runs no services yet")
