"""Cache keys: what they depend on, and that they stay what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.copy import Selection
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.plan.build_plan import BuildPlan, make_plan
from pytest_zlayer.builder.plan.reads import copy_reads, run_reads
from pytest_zlayer.builder.plan.steps import PlanSettings, StagePlanner
from pytest_zlayer.builder.store.base_images import BaseImage
from pytest_zlayer.dockerfile import parse
from pytest_zlayer.dockerfile.operations import kinds
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import (
    BindMount,
    CopyOperation,
    RunOperation,
    SourceRef,
)
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, resolve_stages
from pytest_zlayer.dockerfile.values.platforms import Platform, parse_platform

TEXT = """\
FROM base AS files
COPY --chown=1:2 --chmod=640 a.txt /a
WORKDIR /work
FROM scratch
ADD --link b /b/
COPY --from=files /a /
COPY <<EOF /inline
text
EOF
RUN --mount=type=bind,target=/src --mount=type=cache,target=/cache,id=c \\
    --mount=type=tmpfs,target=/tmp,size=1m --mount=type=secret,id=token,env=TOKEN \\
    --mount=type=ssh --network=none make
RUN --mount=from=other,target=/o <<EOF
#!/bin/sh
true
EOF
"""
# Made with CACHE_VERSION 3. They change with that number, with what a key is made of, and never by
# moving or renaming modules, classes or functions.
RECORDED = [
    "8897a4ea",
    "b6eb33d4",
    "82ffe038",
    "7694ff37",
    "275b0bb6",
    "a6077036",
    "2e2fe177",
]


class Inputs:
    """Images and contexts that have what the test says."""

    def __init__(self, content: str = "content") -> None:
        self.content = content

    def base_image(self, graph: StageGraph, index: int) -> BaseImage:
        return BaseImage(graph.nodes[index].base.name, ImageConfig(), Chain())

    def image_id(self, reference: str) -> str:
        return f"id of {reference}"

    def select(self, operation: CopyOperation) -> tuple[Selection, str]:
        return Selection(()), f"{self.content} of {operation.sources}"

    def digest(self, source: SourceRef, path: str) -> str:
        return f"{self.content} of {source.name}{path}"


@pytest.fixture(autouse=True)
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory has what the Dockerfiles of the tests copy."""
    for name in ("a", "a.txt", "b"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


def plan_of(text: str = TEXT, **options: Any) -> BuildPlan:
    spec = ImageSpec(context=Path.cwd(), text=text, platform="linux/amd64")
    return make_plan(spec, BuildOptions(**options))


def graph_of(text: str) -> StageGraph:
    """The stages alone: the files that are copied need not be there."""
    platform = parse_platform("linux/amd64", Platform("linux", "amd64"))
    return resolve_stages(
        parse(text),
        build_args={},
        target=None,
        platform=platform,
        build_platform=platform,
        contexts=(),
    )


def keys_of(
    text: str = TEXT, settings: PlanSettings | None = None, inputs: Inputs | None = None
) -> list[str]:
    graph = graph_of(text)
    settings = settings or PlanSettings(platform="linux/amd64")
    plans = StagePlanner(graph, inputs or Inputs(), settings).plan()
    return [step.key for plan in plans.values() for step in plan.steps]


def test_keys_are_those_of_earlier_versions() -> None:
    assert [key[:8] for key in keys_of()] == RECORDED


def test_keys_of_what_is_taken_from_nothing_are_those_of_earlier_versions() -> None:
    text = "FROM scratch\nCOPY --from=scratch /a /b\nRUN --mount=from=scratch,target=/o a\n"
    assert [key[:8] for key in keys_of(text)] == ["e93f3fc2", "e473d4b4"]


@pytest.mark.parametrize(
    "settings",
    [
        PlanSettings(platform="linux/amd64", scope="avx"),
        PlanSettings(platform="linux/amd64", source_date_epoch=0),
        PlanSettings(platform="linux/amd64", source_date_epoch=1),
    ],
)
def test_scope_and_date_are_in_every_key(settings: PlanSettings) -> None:
    assert set(keys_of(settings=settings)).isdisjoint(keys_of())


def test_limits_of_runs_are_in_their_keys_by_name() -> None:
    limits = [{"memory": "64m"}, {"shm_size": "64m"}, {"ulimits": ("nofile=1",)}, {}]
    specs = [ImageSpec(text="", **one) for one in limits]
    settings = [PlanSettings(limits=tuple(spec.run_limits().items())) for spec in specs]
    keys = {keys_of("FROM scratch\nRUN a\n", one)[0] for one in settings}
    assert len(keys) == len(limits)


def test_host_name_is_in_the_keys_of_runs_only() -> None:
    text = "FROM scratch\nCOPY a /\nRUN a\n"
    named = keys_of(text, PlanSettings(platform="linux/amd64", hostname="box"))
    first, second = (one == other for one, other in zip(named, keys_of(text), strict=True))
    assert (first, second) == (True, False)


def test_what_a_mount_reads_is_in_the_key_of_its_run() -> None:
    text = "FROM scratch\nRUN --mount=source=sub,target=/src true\n"
    assert keys_of(text) != keys_of(text, inputs=Inputs("other content"))
    asked = []
    run_reads(
        operation_of("RUN --mount=source=sub,target=/src true"),
        lambda source, path: asked.append((source.kind, path)) or "key",
    )
    assert asked == [("context", "/sub")]


CASES = [
    "COPY --chown=1 a /",
    "COPY --chmod=600 a /",
    "COPY --link a /",
    "COPY --parents a /",
    "COPY --exclude=x a /",
    "COPY a /b",
    "COPY b /",
    "ADD a /",
    "ADD --unpack=false a /",
    "COPY --from=x a /",
    "COPY --from=y a /",
    "COPY --from=x b /",
    "RUN a",
    "RUN --network=none a",
    "RUN --network=host a",
    "RUN --mount=target=/x a",
    "RUN --mount=target=/x,rw a",
    "RUN --mount=target=/x,from=x a",
    "RUN --mount=type=cache,target=/x a",
    "RUN --mount=type=cache,target=/x,sharing=locked a",
    "RUN --mount=type=secret,id=x a",
    "RUN --mount=type=secret,id=x,mode=0444 a",
    "RUN --mount=type=tmpfs,target=/x a",
    "RUN --mount=type=tmpfs,target=/x,size=1k a",
    "WORKDIR /a",
    "USER 1\nWORKDIR /a",
    "USER 1\nRUN a",
    "ENV A=1\nRUN a",
    "ARG A=1\nRUN a",
]


def test_each_of_these_has_its_own_key() -> None:
    last = [keys_of(f"FROM scratch\nCOPY a /\n{case}\n")[-1] for case in CASES]
    assert [case for case, key in zip(CASES, last, strict=True) if last.count(key) > 1] == [
        "ENV A=1\nRUN a",  # the command sees the same
        "ARG A=1\nRUN a",
    ]


def operation_of(line: str) -> Any:
    graph = graph_of(f"FROM scratch\n{line}\n")
    (plan,) = StagePlanner(graph, Inputs(), PlanSettings()).plan().values()
    return plan.steps[-1].operation


def with_new_field(operation: Any, value: str) -> Any:
    new = dataclasses.make_dataclass(
        "Renamed",
        [("new_flag", str, dataclasses.field(default=""))],
        bases=(type(operation),),
        frozen=True,
    )
    known = {one.name: getattr(operation, one.name) for one in dataclasses.fields(operation)}
    return new(**known, new_flag=value)


def reads_of(operation: Any) -> list[Any]:
    if isinstance(operation, RunOperation):
        return run_reads(operation, Inputs().digest)
    return copy_reads(operation, "content")


@pytest.mark.parametrize("line", ["COPY a /", "RUN a"])
def test_a_new_flag_cannot_be_forgotten(line: str) -> None:
    operation = operation_of(line)
    assert reads_of(with_new_field(operation, "set")) != reads_of(operation)


@pytest.mark.parametrize("line", ["COPY a /", "RUN a"])
def test_a_new_flag_that_is_not_used_changes_no_key(line: str) -> None:
    operation = operation_of(line)
    assert reads_of(with_new_field(operation, "")) == reads_of(operation)


def test_a_class_without_a_tag_is_refused() -> None:
    operation = dataclasses.replace(
        operation_of("RUN a"), mounts=(with_new_field(BindMount("/x"), "set"),)
    )
    with pytest.raises(TypeError, match="Renamed has no tag"):
        reads_of(operation)


def test_every_mount_has_a_tag() -> None:
    mounts = kinds.Mount.__args__  # type: ignore[attr-defined]
    run = operation_of("RUN a")
    tags = []
    for mount in mounts:
        needed = [one for one in dataclasses.fields(mount) if one.default is dataclasses.MISSING]
        made = mount(*["x"] * len(needed))
        tags.append(str(reads_of(dataclasses.replace(run, mounts=(made,)))))
    assert len(set(tags)) == len(mounts)
