"""From a declaration to a plan: the Dockerfile found, parsed, its stages resolved. No engine."""

from __future__ import annotations

import platform as host
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_zlayer.builder.context.build_context import (
    place_in,
    read_dockerfile,
    read_ignore,
)
from pytest_zlayer.builder.model.builder_args import sandbox_hostname
from pytest_zlayer.builder.model.errors import machine_errors_reported
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.platform import wanted_platform
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.bases import check_base, with_base
from pytest_zlayer.builder.plan.context_sources import check_context_sources
from pytest_zlayer.builder.plan.epoch import NAME as DATE
from pytest_zlayer.builder.plan.epoch import RemoteDate, source_date_epoch, with_date
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile import Diagnostic, DockerfileError, parse
from pytest_zlayer.dockerfile.check_directive import options_of
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.parser.parse import decoded
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.graph import error_in
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, resolve_stages, stage_label
from pytest_zlayer.dockerfile.values.platforms import host_platform
from pytest_zlayer.dockerfile.values.remote_sources import short_name
from pytest_zlayer.errors import UsageError
from pytest_zlayer.events import StageInfo
from pytest_zlayer.lazy import LOADING, lazy

if TYPE_CHECKING:
    from pytest_zlayer.dockerfile import Dockerfile

Value = TypeVar("Value")
INLINE_NAME = "<inline Dockerfile>"


@dataclass(frozen=True)
class BuildPlan:
    """What is to be done to build one declaration.

    Attributes:
        spec: the declaration with the session's defaults filled in.
        dockerfile_path: path of the Dockerfile as shown in messages.
        dockerfile: the parsed Dockerfile; ``None`` for a ready image.
        graph: its stages resolved for this target and platform; ``None`` for a ready image.
        source_date_epoch: seconds since the epoch that every time in the image is set to.
        remote_date: where that is found out when the image is built.
        platforms: one plan for each platform when there are several (a manifest list).
        declared: the declarations of named contexts of which the images are built by now.
    """

    spec: ImageSpec
    dockerfile_path: str
    dockerfile: Dockerfile | None
    graph: StageGraph | None
    source_date_epoch: int | None = None
    remote_date: RemoteDate | None = None
    platforms: tuple[BuildPlan, ...] = ()
    declared: Mapping[str, str | ImageSpec] = field(default_factory=dict)

    @lazy
    def label(self) -> str:
        """How people recognise this image in messages."""
        name = self._name()
        return f"{name}[{self.spec.cell}]" if self.spec.cell else name

    def _name(self) -> str:
        if self.spec.name:
            return self.spec.name
        if self.spec.ref:
            return self.spec.ref
        where = _place_name(self.spec)
        if self.spec.dockerfile:
            where = str(PurePath(where, self.spec.dockerfile))
        in_cell = "target-" in (self.spec.cell or "")
        return f"{where}:{self.spec.target}" if self.spec.target and not in_cell else where

    def key(self) -> tuple[Any, ...]:
        """Equal for plans that give the same image."""
        return self.spec.key()

    def stage_labels(self) -> tuple[str, ...]:
        """The stages that will be built, in file order."""
        if self.graph is None:
            return ()
        nodes = self.graph.nodes
        return tuple(stage_label(nodes[index].stage) for index in self.graph.needed)

    def stage_infos(self) -> tuple[StageInfo, ...]:
        """All stages of the Dockerfile, as events tell of them."""
        graph = self.graph
        if graph is None:
            return ()
        return tuple(
            StageInfo(
                index=index,
                name=stage_label(node.stage),
                base=_base_text(graph, index),
                line=node.stage.from_.span.line,
                needs=node.needs,
                needed=index in graph.needed,
            )
            for index, node in enumerate(graph.nodes)
        )

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data (``plan --json``)."""
        found: dict[str, Any] = {"image": self.label, "dockerfile": self.dockerfile_path}
        if self.graph is None:
            return {**found, "ref": self.spec.ref, "stages": []}
        target = self.graph.nodes[self.graph.target].stage
        return {**found, "target": stage_label(target), "stages": self._stage_dicts(self.graph)}

    @staticmethod
    def _stage_dicts(graph: StageGraph) -> list[dict[str, Any]]:
        return [
            {
                "index": index,
                "name": node.stage.name,
                "line": node.stage.from_.span.line,
                "base": _base_text(graph, index),
                "needs": [stage_label(graph.nodes[one].stage) for one in node.needs],
                "needed": index in graph.needed,
                "instructions": len(node.stage.instructions),
            }
            for index, node in enumerate(graph.nodes)
        ]

    def describe(self) -> list[str]:
        """The plan as lines for people."""
        if self.graph is None:
            return [f"{self.label}: ready image {self.spec.ref}"]
        lines = [f"{self.label}: {self.dockerfile_path}"]
        for stage in self._stage_dicts(self.graph):
            name = stage["name"] or f"stage-{stage['index']}"
            mark = "*" if stage["index"] == self.graph.target else " "
            state = "" if stage["needed"] else "  (not needed)"
            others = [need for need in stage["needs"] if need != stage["base"]]
            after = f", copies from {', '.join(others)}" if others else ""
            lines.append(f" {mark} {name}: FROM {stage['base']}{after}{state}")
        return lines


def _place_name(spec: ImageSpec) -> str:
    if spec.context_url is not None:
        return short_name(spec.context_url)
    return spec.context.name if spec.context else "inline"


def _base_text(graph: StageGraph, index: int) -> str:
    base = graph.nodes[index].base
    return (
        stage_label(graph.nodes[base.index].stage)
        if base.kind == "stage"
        else (base.name or base.kind)
    )


def _cannot_fetch(spec: ImageSpec) -> ImageSpec:
    raise UsageError(f"the build context {spec.context_name} is not on this machine")


def _check_characters(source: str | bytes, shown: str) -> None:
    """Refuse what neither a command nor the name of a file can contain.

    Raises:
        DockerfileError: there is a NUL character.
    """
    text = decoded(source)
    at = text.find("\0")
    if at < 0:
        return
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    found = Diagnostic(
        "a Dockerfile cannot contain a NUL character",
        Span(line, column, line, column + 1),
        "save it as UTF-8, if this is UTF-16" if line == 1 else None,
    )
    raise DockerfileError([found], phase="parse", text=text, filename=shown)


@machine_errors_reported("planning")
def make_plan(
    spec: ImageSpec,
    options: BuildOptions,
    fetched: Callable[[ImageSpec], ImageSpec] = _cannot_fetch,
    source: tuple[str, str] | None = None,
) -> BuildPlan:
    """Find, parse and resolve what ``spec`` declares.

    Args:
        spec: the declaration.
        options: what it does not say itself.
        fetched: gives a declaration whose build context lies behind an address one on this machine.
        source: text and name of the Dockerfile, where it is not to be read.

    Raises:
        UsageError: no such context or Dockerfile, or a declaration that cannot mean anything.
        DockerfileError: the Dockerfile has an error that shows without building.
        MachineError: the system refuses a path of it.
    """
    spec = with_base(_with_defaults(spec, options))
    for needed in spec.needs:
        make_plan(needed, options, fetched)
    if spec.ref is not None:
        return BuildPlan(spec, spec.ref, None, None)
    if spec.context_url is not None and spec.context is None:
        spec = fetched(spec)
    wanted = [one.strip() for one in (spec.platform or "").split(",") if one.strip()]
    if len(wanted) > 1:
        plans = tuple(make_plan(replace(spec, platform=one), options, fetched) for one in wanted)
        return replace(plans[0], spec=spec, platforms=plans)
    text, shown = source or _read_dockerfile(spec)
    _check_characters(text, shown)
    dockerfile = parse(text, filename=shown)
    native = host_platform(host.machine())
    graph = resolve_stages(
        dockerfile,
        build_args=spec.build_args,
        target=spec.target,
        platform=wanted_platform(spec.platform, native),
        build_platform=native,
        contexts=tuple(spec.build_contexts),
    )
    sandbox_hostname(spec.build_args)  # refuses what is no name
    check_base(graph, spec)
    check_context_sources(graph, spec)
    _check_findings(graph, spec)
    date = source_date_epoch(spec, graph)
    if isinstance(date, RemoteDate):
        return BuildPlan(spec, shown, dockerfile, graph, remote_date=date)
    return BuildPlan(spec, shown, dockerfile, with_date(graph, date), date)


def plan_of_stage(plan: BuildPlan, stage: str) -> BuildPlan:
    """The plan of another stage of the same Dockerfile, with the same arguments.

    Raises:
        DockerfileError: it has an error that only shows there.
    """
    if plan.graph is None or plan.dockerfile is None:
        raise UsageError(f"{plan.label} was not built from a Dockerfile: it has no stages")
    label = f"{plan.label}#{stage}"
    spec = replace(plan.spec, name=label, target=stage, tags=())
    graph = resolve_stages(
        plan.dockerfile,
        build_args=spec.build_args,
        target=stage,
        platform=plan.graph.platform,
        build_platform=host_platform(host.machine()),
        contexts=tuple(spec.build_contexts),
    )
    check_context_sources(graph, spec)
    if plan.remote_date is None:
        graph = with_date(graph, plan.source_date_epoch)
    return replace(plan, spec=spec, graph=graph)


def _with_defaults(spec: ImageSpec, options: BuildOptions) -> ImageSpec:
    if spec.name is not None and spec.name in options.images:
        spec = ImageSpec(name=spec.name, ref=options.images[spec.name], platform=spec.platform)
    spec = replace(
        spec,
        platform=spec.platform or options.platform,
        pull=spec.pull or options.pull,
        timeout=options.timeout if spec.timeout is None else spec.timeout,
    )
    if spec.ref is not None:
        return spec
    return replace(
        spec,
        build_args=_merge(_date_of(options), _merge(options.build_args, spec.build_args)),
        build_contexts=_merge(options.build_contexts, spec.build_contexts),
        retries=options.retries if spec.retries is None else spec.retries,
        no_cache=options.no_cache if spec.no_cache is None else spec.no_cache,
        cache_mounts=(*options.cache_mounts, *spec.cache_mounts),
        layers=spec.layers or "each",
    )


def _check_findings(graph: StageGraph, spec: ImageSpec) -> None:
    """Where the Dockerfile asks that findings of the build checks are errors, raise them."""
    dockerfile = graph.dockerfile
    if not options_of(dockerfile.check, spec.build_args).error:
        return
    with LOADING:
        from pytest_zlayer.dockerfile.lint.check import check

    found = check(
        dockerfile,
        build_args=spec.build_args,
        target=spec.target,
        platform=graph.platform,
        contexts=tuple(spec.build_contexts),
        ignore=_ignore_rules(spec),
        unknown_bases=True,
    )
    problems = [Diagnostic(f"{one.name}: {one.message}", one.span) for one in found if one.is_error]
    if problems:
        raise error_in(dockerfile, problems, "dispatch")


def _ignore_rules(spec: ImageSpec) -> IgnoreRules | None:
    if spec.context is None or not spec.context.is_dir():
        return None
    return read_ignore(spec.context, spec.dockerfile)


def _date_of(options: BuildOptions) -> Mapping[str, str]:
    """The date in the environment: it is a build argument, as docker's client makes it one."""
    date = options.environment.get(DATE)
    return {DATE: date} if date else {}


def _merge(defaults: Mapping[str, Value], own: Mapping[str, Value]) -> Mapping[str, Value]:
    return {**defaults, **own}


def _read_dockerfile(spec: ImageSpec) -> tuple[bytes | str, str]:
    """The Dockerfile's source and the path to show for it."""
    if spec.context is not None and not spec.context.exists():
        raise UsageError(f"no such build context: {spec.context}")
    if spec.text is not None:
        return spec.text, INLINE_NAME if spec.context_url is None else spec.context_name
    if spec.context is None:
        raise UsageError("an image needs a context, a text or a ref")
    if spec.context_url is not None:
        return _fetched_dockerfile(spec, spec.context)
    source, path = read_dockerfile(spec.context, spec.dockerfile)
    if spec.context.is_dir() and not Path(spec.dockerfile or "").is_absolute():
        _check_place(path, spec.context, Path.cwd())
    return source, _shown(path)


def _fetched_dockerfile(spec: ImageSpec, context: Path) -> tuple[bytes, str]:
    """The Dockerfile in a context that was fetched, which goes by its address."""
    name = spec.context_name
    try:
        source, path = read_dockerfile(context, spec.dockerfile)
        if context.is_dir():
            _check_place(path, context)
    except UsageError as error:
        message = error.message.replace(str(context), name)
        hint = error.hint and error.hint.replace(str(context), name)
        raise UsageError(message, hint=hint) from error
    return source, place_in(name, path.relative_to(context))


def _check_place(path: Path, *allowed: Path) -> None:
    """Refuse a Dockerfile that only a ``..`` or a link leads to: errors show lines of it."""
    real = path.resolve()
    if not any(real.is_relative_to(one.resolve()) for one in allowed):
        raise UsageError(
            f"{path} lies outside the build context and the project ({real})",
            hint="name it by its absolute path if it is the one that is meant",
        )


def _shown(path: Path) -> str:
    """The path relative to the working directory when it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
