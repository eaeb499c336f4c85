"""SOURCE_DATE_EPOCH: a number, or what has a date."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.build_plan import BuildPlan, make_plan
from pytest_zlayer.builder.plan.epoch import RemoteDate, with_date
from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.errors import UsageError

NAME = "SOURCE_DATE_EPOCH"
ARG = f"ARG {NAME}=7\nFROM scratch\n"
HINT = "'context', a named build context, or a stage with one remote ADD serve too"


def plan_of(
    text: str, *, given: str | None = None, environment: str | None = None, **declared: Any
) -> BuildPlan:
    spec = ImageSpec(**{"text": text, "context": Path(), "platform": "linux/amd64", **declared})
    options = BuildOptions(
        build_args={} if given is None else {NAME: given},
        environment={} if environment is None else {NAME: environment},
    )
    return make_plan(spec, options)


@pytest.mark.parametrize(
    ("text", "given", "environment", "expected"),
    [
        ("FROM scratch\n", None, None, None),
        ("FROM scratch\n", "5", None, 5),
        ("FROM scratch\n", "0", None, 0),
        ("FROM scratch\n", None, "6", 6),
        ("FROM scratch\n", "5", "6", 5),
        ("FROM scratch\n", "", "6", None),
        (ARG, None, None, 7),
        (ARG, "5", None, 5),
        (ARG, None, "6", 6),
        (ARG, "", None, None),
    ],
)
def test_the_date_is_the_one_given(
    text: str, given: str | None, environment: str | None, expected: int | None
) -> None:
    assert plan_of(text, given=given, environment=environment).source_date_epoch == expected


def test_the_date_of_the_environment_is_a_build_argument() -> None:
    graph = plan_of("FROM scratch\n", environment="6").graph
    assert graph is not None
    assert graph.build_args == {NAME: "6"}


@pytest.mark.parametrize("value", ["x", "-1", "1.5", " 1", "²", "9" * 5000, "999999999999"])
def test_what_is_no_date_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of("FROM scratch\n", given=value)
    shown = value if len(value) <= 40 else value[:40] + "…"
    assert (caught.value.message, caught.value.hint) == (
        f"SOURCE_DATE_EPOCH must be seconds since the epoch, not {shown!r}",
        HINT,
    )


def test_a_wrong_default_is_shown_where_it_stands() -> None:
    with pytest.raises(DockerfileError) as caught:
        plan_of("# a comment\nARG SOURCE_DATE_EPOCH=tomorrow\nFROM scratch\n")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.span.line, diagnostic.message, diagnostic.hint) == (
        2,
        "SOURCE_DATE_EPOCH must be seconds since the epoch, not 'tomorrow'",
        HINT,
    )


# -- context, and named contexts


def archive(path: Path, times: dict[str, float]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, time in times.items():
            info = tarfile.TarInfo(name)
            info.mtime, info.size = time, 1
            if name.endswith("/"):
                info.type, info.size = tarfile.DIRTYPE, 0
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return path


@pytest.mark.parametrize(
    ("times", "expected"),
    [({"a": 5, "b": 9.5, "c": 7, "d/": 11}, 9), ({"d/": 11}, None), ({"a": -3}, None)],
)
def test_context_is_the_newest_file_of_an_archive(
    tmp_path: Path, times: dict[str, float], expected: int | None
) -> None:
    context = archive(tmp_path / "c.tar", times)
    plan = plan_of("FROM scratch\n", given="context", context=context)
    assert plan.source_date_epoch == expected
    assert plan.graph is not None
    assert plan.graph.build_args == {NAME: str(expected or "")}


@pytest.mark.parametrize("contexts", [{}, {"context": "https://x/y.git"}])
def test_context_without_a_date_is_none(contexts: dict[str, str]) -> None:
    plan = plan_of("FROM scratch\n", given="context", build_contexts=contexts)
    assert (plan.source_date_epoch, plan.remote_date) == (None, None)


def test_context_as_a_default_is_replaced_for_stages() -> None:
    plan = plan_of(f"ARG {NAME}=context\nFROM scratch\n")
    assert plan.graph is not None
    assert (plan.source_date_epoch, plan.graph.globals[NAME]) == (None, "")


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("https://x/y.git#v1", RemoteDate("https://x/y.git#v1")),
        ("https://x/y.tar", RemoteDate("https://x/y.tar")),
        ("docker-image://alpine", None),
        (".", None),
    ],
)
def test_named_context(value: str, date: RemoteDate | None) -> None:
    plan = plan_of("FROM scratch\n", given="src", build_contexts={"src": value})
    assert (plan.source_date_epoch, plan.remote_date) == (None, date)


# -- a stage


def of_stage(stage: str, **more: Any) -> RemoteDate | None:
    return plan_of(f"{stage}\nFROM scratch\n", given="Dates", **more).remote_date


def test_stage_with_one_remote_source() -> None:
    found = of_stage(
        "FROM scratch AS dates\nARG V=1\nARG X=https://x/$V\nADD --checksum=sha256:"
        + "0" * 64
        + " $X/f /"
    )
    assert found == RemoteDate("https://x/1/f", f"sha256:{'0' * 64}")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("FROM a AS dates", "stage must use FROM scratch"),
        ("FROM scratch AS dates", "stage must contain exactly one remote ADD"),
        (
            "FROM scratch AS dates\nADD https://x/f /\nADD https://x/f /",
            "stage must contain exactly one remote ADD",
        ),
        (
            "FROM scratch AS dates\nADD https://x/f https://x/g /",
            "stage must contain exactly one remote ADD source",
        ),
        (
            "FROM scratch AS dates\nADD f /",
            "stage source must be a single HTTP(S) or Git ADD",
        ),
        (
            "FROM scratch AS dates\nENV A=1\nADD https://x/f /",
            "stage does not meet source-only requirements: unsupported ENV instruction",
        ),
    ],
)
def test_stage_that_has_no_date(stage: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        of_stage(stage)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == f"SOURCE_DATE_EPOCH {message}"


def test_date_that_nobody_asked_for_is_no_argument() -> None:
    graph = plan_of("FROM scratch\n").graph
    assert graph is not None
    assert with_date(graph, 5) is graph
