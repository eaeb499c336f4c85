"""Plans as people and programs see them, and what a declaration takes from the options."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.copy import CopyError, Selection
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.build_plan import (
    INLINE_NAME,
    BuildPlan,
    make_plan,
    plan_of_stage,
)
from pytest_zlayer.builder.plan.epoch import RemoteDate
from pytest_zlayer.builder.plan.steps import (
    CACHE_VERSION,
    PlanSettings,
    StagePlanner,
    one_line,
)
from pytest_zlayer.builder.store.base_images import BaseImage, BaseImageError
from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, RunOperation
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.errors import UsageError
from tests.builder.plan.test_keys import Inputs, graph_of

TEXT = """\
ARG BASE=base
FROM $BASE AS build
RUN a
FROM scratch AS unused
FROM build
COPY --from=other /a /
COPY --from=build /b /
"""


def plan_of(text: str = TEXT, options: BuildOptions | None = None, **values: Any) -> BuildPlan:
    spec = ImageSpec(text=text, **{"platform": "linux/amd64", **values})
    return make_plan(spec, options or BuildOptions())


def stage(index: int, name: str | None, **values: Any) -> dict[str, Any]:
    return {"index": index, "name": name, **values}


def test_name_of_a_plan_in_messages(tmp_path: Path) -> None:
    context, elsewhere = tmp_path / "web", tmp_path / "shared" / "Dockerfile"
    for path in (context / "docker" / "Dockerfile", elsewhere):
        path.parent.mkdir(parents=True)
        path.write_text("FROM scratch AS api\n")

    def label(**values: Any) -> str:
        return make_plan(ImageSpec(context=context, **values), BuildOptions()).label

    assert label(dockerfile="docker/Dockerfile") == "web/docker/Dockerfile"
    assert label(dockerfile=str(elsewhere), target="api") == f"{elsewhere}:api"
    assert (plan_of().label, plan_of(name="one").label) == ("inline", "one")


def test_plan_as_data() -> None:
    assert plan_of(name="api", target="build").to_dict() == {
        "image": "api",
        "dockerfile": INLINE_NAME,
        "target": "build",
        "stages": [
            stage(0, "build", line=2, base="base", needs=[], needed=True, instructions=1),
            stage(1, "unused", line=4, base="scratch", needs=[], needed=False, instructions=0),
            stage(2, None, line=5, base="build", needs=["build"], needed=False, instructions=2),
        ],
    }
    assert plan_of(None, ref="ready", name="api").to_dict() == {  # type: ignore[arg-type]
        "image": "api",
        "dockerfile": "ready",
        "ref": "ready",
        "stages": [],
    }


def test_plan_as_lines() -> None:
    text = "FROM a AS one\nFROM b AS two\nFROM one AS three\nFROM c\n"
    assert plan_of(f"{text}COPY --from=one / /\nCOPY --from=two / /\n").describe() == [
        f"inline: {INLINE_NAME}",
        "   one: FROM a",
        "   two: FROM b",
        "   three: FROM one  (not needed)",
        " * stage-3: FROM c, copies from one, two",
    ]
    ready = plan_of(None, ref="docker.io/library/x")  # type: ignore[arg-type]
    assert ready.describe() == ["docker.io/library/x: ready image docker.io/library/x"]


def test_stages_as_events_have_them() -> None:
    infos = plan_of().stage_infos()
    shown = [(one.index, one.name, one.base, one.line, one.needs, one.needed) for one in infos]
    assert shown == [
        (0, "build", "base", 2, (), True),
        (1, "unused", "scratch", 4, (), False),
        (2, "stage-2", "build", 5, (0,), True),
    ]
    assert plan_of().stage_labels() == ("build", "stage-2")
    ready = plan_of(None, ref="x")  # type: ignore[arg-type]
    assert (ready.stage_infos(), ready.stage_labels()) == ((), ())


def test_a_declaration_wins_over_options() -> None:
    options = BuildOptions(
        build_args={"A": "1", "B": "1"}, platform="linux/arm64", pull="always", retries=3,
        timeout=5, no_cache=True, cache_mounts=("/a",),
    )  # fmt: skip
    by_options = plan_of(options=options, platform=None).spec
    own = plan_of(
        options=options, build_args={"B": "2"}, pull="never", retries=0, timeout=7,
        no_cache=False, cache_mounts=("/b",),
    ).spec  # fmt: skip

    def said(spec: ImageSpec) -> tuple[object, ...]:
        return (
            dict(spec.build_args), spec.platform, spec.pull, spec.retries, spec.timeout,
            spec.no_cache, spec.cache_mounts, spec.layers,
        )  # fmt: skip

    arguments = {"A": "1", "B": "1"}
    assert said(by_options) == (arguments, "linux/arm64", "always", 3, 5, True, ("/a",), "each")
    arguments = {"A": "1", "B": "2"}
    assert said(own) == (arguments, "linux/amd64", "never", 0, 7, False, ("/a", "/b"), "each")


def test_a_ready_image_replaces_the_declared_one() -> None:
    plan = plan_of(options=BuildOptions(images={"api": "ready:1"}), name="api")
    assert (plan.spec.ref, plan.graph, plan.dockerfile) == ("ready:1", None, None)
    assert plan.spec.platform == "linux/amd64"


def test_images_that_an_image_is_made_from_are_looked_at_too() -> None:
    base = ImageSpec(text="FROM x\nRUN true\n", build_args={"A": "1"})
    assert plan_of("RUN true", base=base).spec.build_contexts == {"base": base}
    with pytest.raises(UsageError, match="no such build context: /is/not/there"):
        plan_of("RUN true", base=ImageSpec(context=Path("/is/not/there")))


def test_a_base_that_no_stage_uses() -> None:
    with pytest.raises(UsageError) as caught:
        plan_of("FROM x\n", base=ImageSpec(text="FROM y"))
    assert str(caught.value) == (
        f"{INLINE_NAME} has no FROM base\n"
        "hint: write FROM base where the declared base image is meant"
    )


def test_a_base_that_is_said_twice() -> None:
    other = ImageSpec(text="FROM y")
    with pytest.raises(UsageError) as caught:
        plan_of("FROM base\n", base=other, build_contexts={"base": other})
    assert str(caught.value) == "base= and build_contexts both say what FROM base is"


def test_from_is_put_below_the_comments_of_a_text() -> None:
    base = ImageSpec(text="FROM y")
    plan = plan_of("# check=skip=all\n\n  # \\1\nRUN a\n# b\n", base=base)
    assert plan.spec.text == "# check=skip=all\n\n  # \\1\nFROM base\nRUN a\n# b\n"


def test_a_declaration_that_has_no_dockerfile_here() -> None:
    with pytest.raises(UsageError) as caught:
        make_plan(ImageSpec(), BuildOptions())
    assert str(caught.value) == "an image needs a context, a text or a ref"
    with pytest.raises(UsageError) as caught:
        make_plan(ImageSpec(context_url="https://x/api.git"), BuildOptions())
    assert str(caught.value) == ("the build context https://x/api.git is not on this machine")


def test_findings_are_errors_where_the_dockerfile_asks_for_it(tmp_path: Path) -> None:
    text = "# check=error=true\nFROM scratch\nCOPY *.log /\n"
    (tmp_path / ".dockerignore").write_text("*.log\n")
    with pytest.raises(DockerfileError, match="CopyIgnoredFile: ") as caught:
        plan_of(text, context=tmp_path)
    assert caught.value.phase == "dispatch"
    with tarfile.open(tmp_path / "context.tar", "w"):
        pass
    assert plan_of(text, context=tmp_path / "context.tar").graph is not None


def test_the_plan_of_one_stage() -> None:
    plan = plan_of("ARG B\nFROM a AS one\nFROM $B\n", build_args={"B": "one"}, tags=("x",))
    found = plan_of_stage(plan, "one")
    assert (found.spec.name, found.spec.target, found.spec.tags) == ("inline#one", "one", ())
    assert found.graph is not None
    assert [found.graph.needed, found.graph.target] == [(0,), 0]
    ready = plan_of(None, ref="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^x was not built from a Dockerfile: it has no stages$"):
        plan_of_stage(ready, "one")


def test_the_plan_of_one_stage_has_the_date_of_the_whole() -> None:
    name = "SOURCE_DATE_EPOCH"
    plan = plan_of("FROM scratch AS one\nFROM one\n", context=Path(), build_args={name: "context"})
    found = plan_of_stage(replace(plan, source_date_epoch=7), "one")
    assert found.graph is not None
    assert found.graph.build_args == {name: "7"}
    later = replace(plan, remote_date=RemoteDate("https://x/y"))
    found = plan_of_stage(later, "one")
    assert found.graph is not None
    assert found.graph.build_args == {name: "context"}


def test_the_first_line_of_a_text() -> None:
    assert one_line("  short  ") == "short"
    assert one_line("x" * 120) == "x" * 120
    assert one_line("x" * 121) == "x" * 119 + "…"
    assert one_line("first \nsecond") == "first…"


def test_steps_of_a_stage() -> None:
    graph = graph_of(
        "FROM scratch AS one\nCOPY a /\nFROM one\nRUN --mount=type=cache,target=/c a\n"
    )
    settings = PlanSettings(platform="linux/amd64", cache_mounts=("/c", "/d"), network="none")
    one, two = StagePlanner(graph, Inputs(), settings).plan().values()
    assert [one.label, two.label, two.base_stage] == ["one", "stage-1", 0]
    assert [one.index, two.index] == [0, 1]
    assert one.steps[0].selection is not None
    run = two.steps[0].operation
    assert isinstance(run, RunOperation)
    assert [(mount.target, getattr(mount, "id", "")) for mount in run.mounts] == [
        ("/c", "/c"), ("/d", "/d"),
    ]  # fmt: skip
    assert run.network == "none"


def test_a_step_knows_its_place_and_what_it_begins_with() -> None:
    graph = graph_of("FROM scratch AS one\nENV A=1\nENV B=2\nFROM one\nENV C=3\n")
    one, two = StagePlanner(graph, Inputs(), PlanSettings(platform="linux/amd64")).plan().values()
    assert [step.number for step in (*one.steps, *two.steps)] == [1, 2, 1]
    before = [one.state_before(step).config.env for step in one.steps]
    assert ["A" in env for env in before] == [False, True]
    assert set(two.state_before(two.steps[0]).config.env) >= {"A", "B"}


def test_a_stage_knows_what_all_its_keys_depend_on() -> None:
    def origin(text: str, **settings: Any) -> Mapping[str, str]:
        plans = StagePlanner(graph_of(text), Inputs(), PlanSettings(**settings)).plan()
        return plans[max(plans)].origin

    assert origin("FROM scratch\n", platform="linux/arm64") == {
        "version of the cache": str(CACHE_VERSION),
        "platform": "linux/arm64",
        "cache scope": "none",
        "SOURCE_DATE_EPOCH": "none",
        "base image": "scratch",
    }
    assert origin("FROM base\n", platform="p", scope="avx", source_date_epoch=0) == {
        "version of the cache": str(CACHE_VERSION),
        "platform": "p",
        "cache scope": "avx",
        "SOURCE_DATE_EPOCH": "0",
        "base image": "base",
    }


def test_a_step_knows_what_it_reads() -> None:
    graph = graph_of("FROM scratch\nUSER 1\nRUN a\nCOPY a /\nWORKDIR /w\n")
    settings = PlanSettings(limits=(("memory", "1g"),), hostname="box")
    (stage,) = StagePlanner(graph, Inputs(), settings).plan().values()
    user, run, copied, workdir = (dict(step.reads) for step in stage.steps)
    assert user == {}
    assert run["argv"] == ["/bin/sh", "-c", "a"]
    assert (run["user"], run["memory"], run["hostname"]) == ("1", "1g", "box")
    assert copied == {
        "kind": "COPY", "destination": "/", "files": [], "content": "content of ('a',)"
    }  # fmt: skip
    assert workdir == {"path": "/w", "user": "1"}


class Broken(Inputs):
    """Nothing can be had."""

    def base_image(self, graph: StageGraph, index: int) -> BaseImage:
        raise BaseImageError(f"no image {graph.nodes[index].base.name}")

    def image_id(self, reference: str) -> str:
        raise BaseImageError(f"no image {reference}")

    def select(self, operation: CopyOperation) -> tuple[Selection, str]:
        raise CopyError(f"no file {operation.sources[0]}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM base\n", "Dockerfile:1:6: no image base"),
        ("FROM scratch\nRUN --mount=from=x,target=/x a\n", "Dockerfile:2:1: no image x"),
        ("FROM scratch\nCOPY --from=x / /\n", "Dockerfile:2:1: no image x"),
        ("FROM scratch\nCOPY a /\n", "Dockerfile:2:1: no file a"),
    ],
)
def test_what_cannot_be_had_is_reported_where_it_is_named(text: str, said: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        StagePlanner(graph_of(text), Broken(), PlanSettings()).plan()
    assert str(caught.value).splitlines()[0] == said


def test_the_text_of_a_step_is_printable() -> None:
    graph = graph_of("FROM scratch\nCOPY \x1b[31m /\n")
    (stage,) = StagePlanner(graph, Inputs(), PlanSettings(platform="linux/amd64")).plan().values()
    assert stage.steps[0].text == "COPY \ufffd[31m /"


def test_a_dockerfile_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-16")
    with pytest.raises(DockerfileError) as caught:
        make_plan(ImageSpec(context=tmp_path), BuildOptions(environment={}))
    assert str(caught.value).endswith("\nhint: save it as UTF-8, if this is UTF-16")
    (tmp_path / "Dockerfile").write_bytes(b"FROM scratch\nCOPY a\0b /\n")
    with pytest.raises(DockerfileError) as caught:
        make_plan(ImageSpec(context=tmp_path), BuildOptions(environment={}))
    assert str(caught.value) == (
        f"{tmp_path / 'Dockerfile'}:2:7: a Dockerfile cannot contain a NUL character\n"
        "    2 | COPY a\ufffdb /\n"
        "      |       ^"
    )
