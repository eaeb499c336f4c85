"""What reports say about an image and the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import LayerInfo

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.image.built_image import Image


def describe_engine(engine: Engine) -> str:
    """The engine as reports describe it."""
    return str(engine.describe()) if hasattr(engine, "describe") else f"buildah {engine.version}"


def layers_of(image: Image) -> tuple[LayerInfo, ...]:
    """The layers of an image with what made each; none where the store does not know them."""
    try:
        made_by = [entry.created_by for entry in image.history if not entry.empty]
        layers = image.layers
    except (ZlayerError, AttributeError):
        return ()
    made_by += [""] * (len(layers) - len(made_by))
    return tuple(
        LayerInfo(digest=layer.diff_id, size=layer.size, created_by=by)
        for layer, by in zip(layers, made_by, strict=False)
    )
