"""One installed package, or the reason that packages cannot be read."""

from __future__ import annotations

from typing import Literal

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError

PackageKind = Literal["deb", "apk", "rpm", "python"]


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; ``architecture`` is empty where it has none."""

    name: str
    version: str
    architecture: str
    kind: PackageKind


class PackagesUnreadable(ZlayerError):
    """An image has a database of packages that cannot be read from outside."""
