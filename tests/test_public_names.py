"""What ``from pytest_zlayer import …`` gives, and how it shows itself."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from types import FunctionType

import pytest

import pytest_zlayer
from pytest_zlayer import BuildError, CommandFailed, EngineError, RunResult, UsageError, ZlayerError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.model.errors import FailedStep
from pytest_zlayer.services.errors import ServiceEnded

# Raised and caught within the package.
CAUGHT_WITHIN = {
    "AgentGone",
    "BadJournal",
    "BusyPlace",
    "EntryError",
    "InstructionError",
    "Interrupted",
    "NotUnderstood",
    "PlaceError",
    "Problems",
    "ReadOnlyPlace",
    "Refusal",
    "ShellSyntaxError",
    "SkopeoMissing",
    "StepFailed",
    "UnknownLayout",
    "Unreadable",
}


def raised_by_the_package() -> Iterator[type[BaseException]]:
    """Every exception class that a module of the package defines and others may see."""
    for found in pkgutil.walk_packages(pytest_zlayer.__path__, "pytest_zlayer."):
        if found.name.endswith(".__main__"):
            continue
        for one in vars(importlib.import_module(found.name)).values():
            if isinstance(one, type) and issubclass(one, BaseException) and is_ours(one):
                yield one


def is_ours(error: type[BaseException]) -> bool:
    """Whether the package defines a class, and not only for the module that it stands in."""
    return error.__module__.partition(".")[0] == "pytest_zlayer" and error.__name__[0] != "_"


ERRORS = sorted({one.__name__: one for one in raised_by_the_package()}.items())
STEP = FailedStep(
    image="it",
    dockerfile="Dockerfile",
    line=2,
    end_line=2,
    source_lines=("RUN false",),
    stage="0",
    text="RUN false",
)
SHOWN = [one for name, one in ERRORS if name not in CAUGHT_WITHIN]


@pytest.mark.parametrize("name", pytest_zlayer.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pytest_zlayer, name) is not None


def test_another_name_is_none_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'pytest_zlayer' has no attribute 'nothing'"):
        _ = pytest_zlayer.nothing


@pytest.mark.parametrize("error", SHOWN, ids=lambda error: error.__name__)
def test_an_error_shows_under_the_name_by_which_it_is_imported(error: type[Exception]) -> None:
    assert f"{error.__module__}.{error.__qualname__}" == f"pytest_zlayer.{error.__name__}"
    assert getattr(pytest_zlayer, error.__name__) is error


def test_no_name_of_an_error_is_used_twice() -> None:
    assert len({*raised_by_the_package()}) == len(ERRORS)


def test_what_is_caught_within_is_known_by_name() -> None:
    assert {*dict(ERRORS)} >= CAUGHT_WITHIN
    assert not [name for name in CAUGHT_WITHIN if issubclass(dict(ERRORS)[name], ZlayerError)]


def test_an_error_of_a_user_shows_under_its_own_name() -> None:
    class Mine(UsageError):
        pass

    assert Mine.__module__ == __name__


@pytest.mark.parametrize(
    "error",
    [
        UsageError("wrong", hint="better"),
        ServiceEnded("db", 137, "port 1", ["a", "b"]),
        EngineError(Failure("network", "no", hint="wait"), command=["pull"], exit_code=125),
        BuildError("exit code 1", STEP, hint="none"),
        CommandFailed("it", RunResult(1, "", "no", 0.1, ("false",))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_out_of_another_process_as_it_was(error: ZlayerError) -> None:
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


def test_a_session_is_opened_with_public_names_alone() -> None:
    policy = pytest_zlayer.RetryPolicy(retries=1)
    options = pytest_zlayer.BuildOptions(transfer_retry=policy)
    session = pytest_zlayer.BuildSession(options)
    session.close()
    assert session.options.transfer_retry is policy


def test_build_is_the_function_and_nothing_else() -> None:
    build = pytest_zlayer.build
    assert type(build) is FunctionType
    assert list(inspect.signature(build).parameters) == ["context", "arguments"]
    assert inspect.getdoc(build).startswith("Build an image as ``@pytest.mark.image`` would")
    assert pickle.loads(pickle.dumps(build)) is build  # noqa: S301 - made here


def test_build_stays_the_function_when_every_module_is_loaded() -> None:
    import pytest_zlayer.builder.session.build_session

    assert type(pytest_zlayer.build) is FunctionType
