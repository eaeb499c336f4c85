"""An image that is declared by its class: as a marker takes it, without a marker."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ARGUMENTS, ImageSpec
from pytest_zlayer.builder.plan.build_plan import make_plan
from pytest_zlayer.errors import UsageError


def test_the_context_comes_first() -> None:
    assert ImageSpec(Path("api")) == ImageSpec(context=Path("api"))


def test_arguments_are_converted_as_those_of_the_marker() -> None:
    given: dict[str, Any] = {
        "context": "api", "tags": "localhost/api:1", "build_args": {"N": 3}, "ulimits": ["core=0"],
        "secrets": {"token": Path("token")}, "build_contexts": {"files": Path("files")},
    }  # fmt: skip
    assert ImageSpec(**given) == ImageSpec(
        context=Path("api"),
        tags=("localhost/api:1",),
        build_args={"N": "3"},
        ulimits=("core=0",),
        secrets={"token": "token"},
        build_contexts={"files": "files"},
    )


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_value_without_a_meaning_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} must be "):
        ImageSpec(**{name: object()})


def test_a_ready_image_takes_what_has_a_meaning_for_it() -> None:
    spec = ImageSpec(ref="alpine:3", name="a", pull="never", platform="linux/arm64", timeout=5)
    assert make_plan(spec, BuildOptions(retries=2, build_args={"A": "1"})).spec == spec


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base", ImageSpec(text="FROM scratch")), ("build_args", {"A": "1"}), ("context", "api"),
        ("no_cache", False), ("tags", ["localhost/api:1"]), ("target", "slim"),
    ],
)  # fmt: skip
def test_a_ready_image_takes_nothing_else(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^{name}= cannot be combined with ref=: nothing is"):
        ImageSpec(ref="alpine:3", **{name: value})


def test_it_can_be_copied_and_sent_to_another_process() -> None:
    spec = ImageSpec(Path("api"), base=ImageSpec(text="FROM scratch"), build_args={"A": "1"})
    received = pickle.loads(pickle.dumps(spec))  # noqa: S301 (its own)
    assert received == copy.deepcopy(spec) == spec


def test_it_is_shown_without_what_was_not_given() -> None:
    assert (
        repr(ImageSpec(Path("api"), retries=0)) == f"ImageSpec(context={Path('api')!r}, retries=0)"
    )


def test_it_is_shown_without_secret_values() -> None:
    shown = repr(ImageSpec(context_url="https://user:word@host/x.git", build_args={"KEY": "value"}))
    assert "KEY" in shown
    assert "https://" in shown
    assert "word" not in shown
    assert "value" not in shown
