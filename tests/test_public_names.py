"""What ``from pytest_zlayer import …`` gives, and how it shows itself."""

from __future__ import annotations

import inspect
import pickle
from types import FunctionType

import pytest

import pytest_zlayer

ERRORS = [
    name
    for name in pytest_zlayer.__all__
    if isinstance(found := getattr(pytest_zlayer, name), type) and issubclass(found, Exception)
]


@pytest.mark.parametrize("name", pytest_zlayer.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pytest_zlayer, name) is not None


def test_another_name_is_none_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'pytest_zlayer' has no attribute 'nothing'"):
        _ = pytest_zlayer.nothing


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_shows_under_the_name_by_which_it_is_imported(name: str) -> None:
    error: type[Exception] = getattr(pytest_zlayer, name)
    assert f"{error.__module__}.{error.__qualname__}" == f"pytest_zlayer.{name}"


def test_build_is_the_function_and_nothing_else() -> None:
    build = pytest_zlayer.build
    assert type(build) is FunctionType
    assert list(inspect.signature(build).parameters) == ["context", "arguments"]
    assert inspect.getdoc(build).startswith("Build an image as ``@pytest.mark.image`` would")
    assert pickle.loads(pickle.dumps(build)) is build  # noqa: S301 - made here


def test_build_stays_the_function_when_every_module_is_loaded() -> None:
    import pytest_zlayer.builder.session.build_session

    assert type(pytest_zlayer.build) is FunctionType
