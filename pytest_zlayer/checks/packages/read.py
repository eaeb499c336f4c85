"""All packages of an image or container, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_zlayer.checks.packages import apk, deb, python, rpm
from pytest_zlayer.checks.packages.record import Package

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import HasFiles


class Packages(dict[str, Package]):
    """Packages by name."""

    what = "package"


def read_packages(subject: HasFiles) -> Mapping[str, Package]:
    """The packages by name.

    Where one name stands for several (architectures of a Debian package, a Python distribution
    called like a package of the system) the name alone is the first of them, and the others go by
    ``name:architecture`` or ``kind:name``.

    Raises:
        PackagesUnreadable: there is a database in a form that only its own tool reads.
    """
    found: dict[str, Package] = {}
    for package in _all(subject):
        for key in _keys(package):
            if key not in found:
                found[key] = package
                break
    return Packages(sorted(found.items()))


def _all(subject: HasFiles) -> Iterable[Package]:
    for manager in (deb, apk, rpm, python):
        yield from manager.installed(subject)


def _keys(package: Package) -> tuple[str, ...]:
    return (
        package.name,
        f"{package.name}:{package.architecture or package.kind}",
        f"{package.kind}:{package.name}",
        f"{package.kind}:{package.name}={package.version}",
    )
