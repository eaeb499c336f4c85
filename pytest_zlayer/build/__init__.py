"""Instructions and contexts become plans, steps and images."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallableRoom(ModuleType):
    """This package, callable: the public function ``pytest_zlayer.build`` has the same name.

    Python puts an imported subpackage into its parent's namespace, in place of the function.
    """

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        return import_module("pytest_zlayer.library").build(*args, **arguments)


sys.modules[__name__].__class__ = _CallableRoom
